_tsoft_completion() {
    local IFS=$'
'
    local words=("${COMP_WORDS[@]:0:COMP_CWORD}")
    [[ ${COMP_WORDS[COMP_CWORD-1]} == "=" ]] && unset "words[COMP_CWORD-1]"
    words+=("$2")
    COMPREPLY=( $( env COMP_WORDS="${words[*]}" \
                   COMP_CWORD=$((${#words[@]} - 1)) \
                   _TSOFT_COMPLETE=complete_bash $1 ) )
    return 0
}

complete -o default -F _tsoft_completion tsoft
