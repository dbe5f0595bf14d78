# What `causeway` is to zsh, and what Tab offers after it. In ~/.zshrc:
#   eval "$(.venv/bin/python -m starter completion zsh)"

causeway() {
    @CAUSEWAY@ "$@"
}

_causeway() {
    local -a values shown
    local value rest files=
    while IFS=$'\t' read -r value rest; do
        if [[ $value == :file ]]; then
            files=1
        else
            values+=("$value")
            shown+=("$value${rest:+  -- $rest}")
        fi
    done < <(causeway complete -- "${(Q@)words[2,CURRENT]}" 2>/dev/null)
    (( $#values )) && compadd -V causeway -l -d shown -a values
    [[ -n $files ]] && _files
    return 0
}

(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _causeway causeway
