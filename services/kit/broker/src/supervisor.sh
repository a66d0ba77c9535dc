# Runs "$@" and ends it when the standard input ends. The other end of that pipe is held by the
# process that started us and by nobody else, so it ends however that process dies.
"$@" </dev/null &
child=$!
echo "$child"
# The standard output now ends when the child does.
exec >/dev/null

end() {
    trap '' HUP INT TERM
    kill -TERM "$child"
    tries=0
    while kill -0 "$child" && [ "$tries" -lt 100 ]; do
        sleep 0.1 || sleep 1
        tries=$((tries + 1))
    done
    kill -KILL "$child"
    wait "$child"
    exit 0
} 2>/dev/null

trap end HUP INT TERM
# A line says that the child has ended already.
if read -r _; then
    wait "$child" 2>/dev/null
    exit 0
fi
end
