$scriptblock = {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:_TSOFT_COMPLETE = "complete_powershell"
    $Env:_TYPER_COMPLETE_ARGS = $commandAst.ToString()
    $Env:_TYPER_COMPLETE_WORD_TO_COMPLETE = $wordToComplete
    $joined = if ($wordToComplete -match '^--[^=]+=') { $Matches[0] } else { '' }
    tsoft | ForEach-Object {
        $commandArray = $_ -Split ":::"
        $command = $commandArray[0]
        $helpString = $commandArray[1]
        [System.Management.Automation.CompletionResult]::new(
            ($joined + $command), $command, 'ParameterValue', $helpString)
    }
    $Env:_TSOFT_COMPLETE = ""
    $Env:_TYPER_COMPLETE_ARGS = ""
    $Env:_TYPER_COMPLETE_WORD_TO_COMPLETE = ""
}
Register-ArgumentCompleter -Native -CommandName tsoft -ScriptBlock $scriptblock
