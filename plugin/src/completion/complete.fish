# Completes kubectl-taurus_port in fish: the program itself is asked for the words.
function __kubectl_taurus_port_complete
    set -l before (commandline -opc)
    set -l begun (commandline -ct)
    set -l found (kubectl-taurus_port __complete $before[2..-1] "$begun" 2>/dev/null)
    string match -rv '^:' -- $found
    if contains -- :0 $found
        __fish_complete_path "$begun"
    end
end
complete -c kubectl-taurus_port -f -a '(__kubectl_taurus_port_complete)'
