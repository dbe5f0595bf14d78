# What `causeway` is to bash, and what Tab offers after it. In ~/.bashrc:
#   eval "$(.venv/bin/python -m starter completion bash)"

causeway() {
    @CAUSEWAY@ "$@"
}

_causeway() {
    local line=${COMP_LINE:0:COMP_POINT} value rest
    local word=${line##*[[:space:]]}
    local before=
    # bash breaks words at these, and replaces only what follows the last of them.
    if [[ $COMP_WORDBREAKS == *:* ]]; then
        before=${word%"${word##*[:=]}"}
    fi
    COMPREPLY=()
    while IFS=$'\t' read -r value rest; do
        if [[ $value == :file ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r value; do
                COMPREPLY+=("$value")
            done < <(compgen -f -- "${word#"$before"}")
        else
            COMPREPLY+=("${value#"$before"}")
        fi
    done < <(causeway complete --line "$line" 2>/dev/null)
}

complete -o nosort -F _causeway causeway 2>/dev/null || complete -F _causeway causeway
