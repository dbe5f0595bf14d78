# What `causeway` is to fish, and what Tab offers after it. In ~/.config/fish/config.fish:
#   .venv/bin/python -m starter completion fish | source

function causeway
    @CAUSEWAY@ $argv
end

function __causeway_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (causeway complete -- $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = :file
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end

complete -c causeway -f -k -a '(__causeway_complete)'
