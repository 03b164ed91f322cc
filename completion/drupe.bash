# SPDX-License-Identifier: MIT
# Completion of `drupe` in bash. Commands and options are what the program itself says with --help; all other
# words are files.
_drupe() {
    local word=${COMP_WORDS[COMP_CWORD]} help
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        help=$("$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  *.*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$help" -- "$word")
    elif [[ $word == -* ]]; then
        help=$("$1" "${COMP_WORDS[1]}" --help 2>/dev/null |
            sed -n 's/^  *\(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\).*/\2/p')
        mapfile -t COMPREPLY < <(compgen -W "$help" -- "$word")
    fi
}
complete -o default -F _drupe drupe
