# shellcheck shell=sh
# What Compose is told to run (the model), and what really runs.

# build SERVICE…: what is built is said in compose.yaml; production takes it out of the model, so that nothing is built
# by the way.
build() { compose --file compose.yaml build "$@"; }

# compose ARGUMENT…: never reads this program's own input.
compose() { docker compose "$@" </dev/null; }

# setting NAME: as compose.yaml sees it, from the environment or from .env. No .env is read by a shell here: it could
# run what it says.
setting() { printf '%s\n' "$settings" | sed -n "s/^$1=//p" | tail -n 1; }

# read_model: the model as Compose writes it out, in $model; its settings in $settings; its name in $project.
read_model() {
  if ! model=$(compose config 2>"$output"); then
    model=''
    return 1
  fi
  settings=$(compose config --environment 2>/dev/null)
  raw_model=$(compose config --no-interpolate 2>/dev/null)
  project=$(printf '%s\n' "$model" | sed -n 's/^name: *//p' | tr -d "\"'")
  # service image built|ready: one line for each service. A name without a slash can be in no registry but Docker's own,
  # among its official images: where compose.yaml says how, such an image is built on this host.
  wanted=$({ compose --file compose.yaml config 2>/dev/null; echo end:; printf '%s\n' "$model"; } | awk -v project="$project" '
    function flush() {
      if (service != "" && whole) {
        if (image == "") image = project "-" service
        print service, image, (service in build && image !~ "/") ? "built" : "ready"
      }
      service = ""
    }
    /^end:$/ { flush(); whole = 1 }
    /^[^ ]/ { flush(); inside = ($1 == "services:") }
    inside && /^  [^ ].*:$/ { flush(); service = $1; sub(/:$/, "", service); image = "" }
    inside && /^    image: / { image = $2; gsub(/["\047]/, "", image) }
    inside && /^    build:/ { build[service] = 1 }
    END { flush() }')
  services=$(printf '%s\n' "$wanted" | cut -d ' ' -f 1)
}

has_service() { printf '%s\n' "$services" | grep -qx "$1"; }

image_of() { printf '%s\n' "$wanted" | sed -n "s/^$1 \([^ ]*\) .*/\1/p"; }

services_that_are() { printf '%s\n' "$wanted" | sed -n "s/^\([^ ]*\) .* $1\$/\1/p"; }

# image_variable SERVICE: the variable of .env that names its image; nothing when the model takes none.
image_variable() {
  variable=$(printf '%s_IMAGE' "$1" | tr 'a-z-' 'A-Z_')
  case $raw_model in *"\${$variable"*) printf '%s' "$variable" ;; esac
}

# write_setting NAME VALUE: in .env, at once or not at all; an empty value takes the line away.
write_setting() {
  if ! { cp -p .env .env.next && sed "/^$1=/d" .env >.env.next; }; then fail 1 'cannot write to .env.next.'; fi
  if [ -n "$2" ] && ! printf '%s=%s\n' "$1" "$2" >>.env.next; then fail 1 'cannot write to .env.next.'; fi
  mv .env.next .env || fail 1 'cannot write to .env.'
}

# secret_files: the files of the model's secrets, one a line.
secret_files() {
  printf '%s\n' "$model" | awk '/^[^ ]/ { inside = ($1 == "secrets:") } inside && /^    file: / { sub(/^    file: /, ""); print }' | tr -d "\"'"
}

# container SERVICE: the number of its container; nothing when there is none.
container() { compose ps --all --quiet "$1" 2>/dev/null | head -n 1; }

# look SERVICE FORMAT: one thing about its container; nothing when there is none.
look() {
  found=$(container "$1")
  [ -z "$found" ] || docker inspect --format "$2" "$found" 2>/dev/null
}

status_of() { look "$1" '{{.State.Status}}'; }

image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null; }

# difference SERVICE: why its container is not what the model asks for; nothing when it is.
difference() {
  found=$(container "$1")
  if [ -z "$found" ]; then
    echo 'is new'
    return
  fi
  facts=$(docker inspect --format '{{.State.Status}} {{.Image}} {{index .Config.Labels "com.docker.compose.config-hash"}}' "$found")
  hash=$(compose config --hash "$1" 2>/dev/null)
  case $facts in
    "running $(image_id "$(image_of "$1")") ${hash#* }") ;;
    running\ "$(image_id "$(image_of "$1")")"\ *) echo 'has another configuration' ;;
    running\ *) echo 'has another image' ;;
    *) echo 'is not running' ;;
  esac
}

# with_new_secrets SERVICE: whether a secret that it mounts was written since the last deploy.
with_new_secrets() {
  [ -e "$state/deployed" ] || return 1
  found=$(container "$1")
  [ -n "$found" ] || return 1
  docker inspect --format '{{range .Mounts}}{{println .Source}}{{end}}' "$found" 2>/dev/null | while IFS= read -r source; do
    if [ -f "$source" ] && [ -n "$(find "$source" -newer "$state/deployed" 2>/dev/null)" ]; then echo newer; fi
  done | grep -q newer
}

# plan: what would be replaced and why, one service a line, in $plan; empty when all is as the model asks.
make_plan() {
  plan=$(for service in $services; do
    why=$(difference "$service")
    if [ -z "$why" ] && with_new_secrets "$service"; then why='has new secrets'; fi
    [ -z "$why" ] || echo "$service $why"
  done)
}

in_plan() { printf '%s\n' "$plan" | grep -q "^$1 "; }

# ask COMMAND ARGUMENT…: asks the sidecar from inside its container, where its tokens and its Node are.
ask() {
  docker compose exec -T sidecar node --input-type=module - "$@" <"$here/deploy.d/sidecar.mjs"
}
