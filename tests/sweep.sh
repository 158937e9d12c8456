#!/bin/sh
# Check that a loop with one process per temperature prints the same digits as one sweep.
set -eu
temperatures="0 0.25 1 4 inf"
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
for tau in $temperatures; do
  printf '%s\t' "$(printf '%s' "$tau" | awk '{ print ($1 == "inf") ? "inf" : ($1 == int($1)) ? $1 ".0" : $1 }')"
  tsoft compute 2 1 0.5 0.1 -inf --tau "$tau"
done >"$folder/loop"
tsoft sweep 2 1 0.5 0.1 -inf --tau "$(echo "$temperatures" | tr ' ' ,)" >"$folder/once"
cmp "$folder/loop" "$folder/once"
[ "$(wc -l <"$folder/once")" -eq 5 ]
echo "the loop and the sweep agree"
