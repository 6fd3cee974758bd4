# fish completion for sbx
complete -c sbx -a '(sbx __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
