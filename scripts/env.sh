# sh scripts/env.sh - writes .env from .env.example, with random secrets that only you can read. Keeps one that is there.
set -eu
cd "$(dirname "$0")/.."
if [ -e .env ]; then
    echo ".env is there already; it stays as it is."
    exit 0
fi
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
trap 'rm -f .env.new' EXIT
trap 'exit 1' HUP INT TERM
while IFS= read -r line; do
    case $line in
        \#*) ;;
        *=) line=$line$(random) ;;
    esac
    printf '%s\n' "$line"
done <.env.example >.env.new
mv .env.new .env
echo "Wrote .env. Grafana's user is admin; its password is GRAFANA_ADMIN_PASSWORD."
