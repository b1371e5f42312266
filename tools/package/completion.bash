# Completes digitron's commands, and a command's options, from what its --help says.
_digitron() {
  local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} command='' found
  ((COMP_CWORD > 1)) && command=${COMP_WORDS[1]}
  if [[ -z $command && $word != -* ]]; then
    found=$("$program" --help 2>/dev/null | sed -n '/^Subcommands:/,$s/^  \([a-z]\+\) .*/\1/p')
  elif [[ $word == -* ]]; then
    found=$("$program" $command --help 2>/dev/null | grep -oE -- '--[a-z0-9][a-z0-9-]*')
  else
    COMPREPLY=()
    return  # a value: files, as ever (-o default)
  fi
  mapfile -t COMPREPLY < <(compgen -W "$found" -- "$word")
}
complete -o default -F _digitron digitron
