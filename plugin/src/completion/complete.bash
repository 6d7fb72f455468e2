# Completes kubectl-taurus_port in bash: the program itself is asked for the words.
_kubectl_taurus_port() {
    local word files=''
    COMPREPLY=()
    while IFS='' read -r word; do
        case $word in
            :0) files=yes ;;
            :*) ;;
            *) COMPREPLY+=("$word") ;;
        esac
    done < <(kubectl-taurus_port __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
    if [[ -n $files ]]; then
        while IFS='' read -r word; do
            COMPREPLY+=("$word")
        done < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
        # The bash of macOS has none of this: there a folder is followed by a blank.
        ! type compopt > /dev/null 2>&1 || compopt -o filenames
    fi
}
complete -F _kubectl_taurus_port kubectl-taurus_port
