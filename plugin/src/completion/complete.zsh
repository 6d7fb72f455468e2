#compdef kubectl-taurus_port
# Completes kubectl-taurus_port in zsh: the program itself is asked for the words.
_kubectl_taurus_port() {
    local -a found
    found=("${(@f)$(kubectl-taurus_port __complete "${(@)words[2,CURRENT]}" 2> /dev/null)}")
    local directive=$found[-1]
    found[-1]=()
    if ((${#found})); then
        compadd -a found
    fi
    if [[ $directive == :0 ]]; then
        _files
    fi
}
if [[ ${funcstack[1]} == _kubectl_taurus_port ]]; then
    _kubectl_taurus_port "$@"
else
    compdef _kubectl_taurus_port kubectl-taurus_port
fi
