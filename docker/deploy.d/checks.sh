# shellcheck shell=sh
# Whether this host can ship: every problem is told at once, with what to do. Changes nothing.

MIN_ENGINE=25.0    # start_interval of health checks
MIN_COMPOSE=2.24   # config --environment, and all that compose.yaml uses
MIN_FREE_GIB=3     # an image with PyTorch, and the backup
MAX_CLOCK_ERROR=2  # seconds; exchanges refuse calls that were signed too far off

problems=0
bad() {
  say "  NO    $1"
  say "        Do: $2"
  problems=$((problems + 1))
}

check_all() {
  problems=0
  if check_engine; then
    check_settings
    check_secrets
    check_disk "$state"
    check_disk "$(docker info --format '{{.DockerRootDir}}' 2>/dev/null)"
    check_clock
    if [ -n "$model" ]; then
      check_images
      check_doctor
      check_single_bot
    fi
  fi
  [ "$problems" -eq 0 ] || fail 1 "$problems of the checks did not pass."
}

# at_least VERSION MINIMUM: both as major.minor; whatever follows does not count.
at_least() {
  set -- "${1#v}" "$2"
  major=${1%%.*}
  minor=${1#*.}
  minor=${minor%%[!0-9]*}
  case $major in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -gt "${2%.*}" ] || { [ "$major" -eq "${2%.*}" ] && [ "${minor:-0}" -ge "${2#*.}" ]; }
}

check_engine() {
  for program in docker curl; do
    command -v "$program" >/dev/null || bad "$program is not installed." "install it; docker/README.md has the commands."
  done
  [ "$problems" -eq 0 ] || return 1
  if ! version=$(docker version --format '{{.Server.Version}}' 2>"$output"); then
    bad "no Docker engine answers: $(tail -n 1 "$output")" "start it ('systemctl start docker'), or run this as root or as a member of the group docker."
    return 1
  fi
  if docker version 2>/dev/null | grep -qi podman; then
    bad 'this is podman, under which a stop leaves positions open.' 'use a Docker engine; docker/README.md says why.'
  elif at_least "$version" "$MIN_ENGINE"; then good "engine $version"; else
    bad "engine $version is older than $MIN_ENGINE." 'upgrade it; docker/README.md says how, with positions closed first.'
  fi
  version=$(docker compose version --short 2>/dev/null)
  if at_least "${version:-0.0}" "$MIN_COMPOSE"; then good "Compose $version"; else
    bad "Compose ${version:-is not there: 'docker compose'}${version:+ is older than $MIN_COMPOSE}." 'install the plugin docker-compose-plugin.'
    return 1
  fi
}

# others_may FILE: what all others may do with it, as ls writes it: POSIX has no other way to ask.
# shellcheck disable=SC2012
others_may() { ls -ld "$1" | cut -c 8-10; }

check_settings() {
  if [ ! -e .env ]; then
    bad 'there is no .env.' "run 'cp .env.example .env && chmod 600 .env', and fill it in."
  else
    case $(others_may .env) in
      ---) good '.env is there, and for nobody else to read' ;;
      *) bad '.env can be read by everyone on this host.' "run 'chmod 600 .env'." ;;
    esac
  fi
  if ! read_model; then
    bad "Compose cannot read the configuration: $(tail -n 1 "$output")" 'set what it names in .env.'
    return
  fi
  case $(setting COMPOSE_FILE) in
    *compose.production.yaml*) good 'the production settings are in COMPOSE_FILE' ;;
    *) note 'COMPOSE_FILE does not name docker/compose.production.yaml: this runs with the settings for trying out' ;;
  esac
  for service in $services; do
    variable=$(image_variable "$service")
    [ -z "$variable" ] || [ -z "$(printenv "$variable")" ] ||
      bad "$variable is set in the environment, which goes before .env: a rollback could not change it." "run 'unset $variable', and set it in .env."
  done
}

check_secrets() {
  [ -n "$model" ] || return 0
  before=$problems
  while IFS= read -r file; do
    [ -n "$file" ] || continue
    name=${file##*/}
    if [ ! -s "$file" ]; then
      bad "the secret $file is missing or empty." 'write it; docker/README.md has the commands.'
      continue
    fi
    if cmp -s "$file" "docker/secrets/development/$name"; then
      bad "the secret $name is the one for trying out, which everyone knows." 'make your own, and set SECRETS_DIR in .env; docker/README.md has the commands.'
    fi
    case $(others_may "$file"):$(others_may "${file%/*}") in
      *r*:*x*) bad "the secret $file can be read by everyone on this host." "run 'chmod 700 ${file%/*}'." ;;
      *r*:*) ;;
      *)
        # shellcheck disable=SC2012 # the owner's number, which only ls tells everywhere
        if [ "$(ls -ln "$file" | awk '{ print $3 }')" -eq 0 ]; then
          bad "the secret $file is for root only, and the containers do not run as root." "run 'chmod 644 $file'; the folder keeps everyone else out."
        fi
        ;;
    esac
  done <<LIST
$(secret_files)
LIST
  [ "$problems" -gt "$before" ] || good 'every secret is there, is your own, and is hidden from others'
}

check_disk() {
  [ -d "$1" ] || return 0
  free=$(df -P -k "$1" 2>/dev/null | awk 'NR == 2 { print int($4 / 1048576) }')
  case $free in
    '' | *[!0-9]*) note "the free space of $1 is not known" ;;
    *) if [ "$free" -ge "$MIN_FREE_GIB" ]; then good "$free GiB free in $1"; else
      bad "$free GiB free in $1, and $MIN_FREE_GIB are needed." "run 'docker image prune' and 'docker builder prune', or take a larger disk."
    fi ;;
  esac
}

# seconds_of YEAR MONTH DAY HOUR MINUTE SECOND: since 1970, UTC, in $seconds; the days by the usual civil calendar.
seconds_of() {
  y=$1 m=${2#0} d=${3#0} h=${4#0} min=${5#0} s=${6#0}
  if [ "$m" -le 2 ]; then y=$((y - 1)) m=$((m + 12)); fi
  seconds=$(((365 * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + d - 719469) * 86400 + h * 3600 + min * 60 + s))
}

# clock_differs NAME SECONDS: says how far this host's clock is from another.
clock_differs() {
  error=$(($(now) - $2))
  if [ "${error#-}" -le "$MAX_CLOCK_ERROR" ]; then good "the clock agrees with $1"; else
    bad "the clock differs from $1 by ${error#-} s." "run 'timedatectl set-ntp true' (on a laptop, restart Docker Desktop)."
  fi
}

check_clock() {
  # Docker Desktop's engine has a clock of its own, which stands still while the laptop sleeps. RFC 3339.
  time=$(docker info --format '{{.SystemTime}}' 2>/dev/null | tr 'T:.Z+' '     ')
  # shellcheck disable=SC2086 # year-month-day hour minute second, and more
  set -- $time
  if [ "$#" -ge 4 ]; then
    day=$1 hour=$2 minute=$3 second=$4
    # An engine in another time zone is whole quarters of an hour away.
    seconds_of "${day%%-*}" "$(printf '%s' "$day" | cut -d - -f 2)" "${day##*-}" "$hour" "$minute" "$second"
    error=$(($(now) - seconds))
    clock_differs 'the engine' "$((seconds + (error + (error < 0 ? -450 : 450)) / 900 * 900))"
  fi
  if command -v timedatectl >/dev/null; then
    case $(timedatectl show --property NTPSynchronized --value 2>/dev/null) in
      yes) good 'the clock is kept by NTP' ;;
      no) bad 'the clock is not kept by NTP.' "run 'timedatectl set-ntp true'." ;;
    esac
  fi
  url=$(setting CLOCK_URL)
  [ -n "$url" ] || return 0
  # Tue, 15 Nov 1994 08:12:31 GMT
  time=$(curl -sS --max-time 10 -o /dev/null -D - "$url" 2>/dev/null | tr -d '\r' | sed -n 's/^[Dd]ate: *//p' | tail -n 1)
  # shellcheck disable=SC2046
  set -- $(printf '%s' "$time" | tr ',:' '  ')
  if [ "$#" -lt 7 ]; then
    note "CLOCK_URL did not tell the time"
    return 0
  fi
  month=JanFebMarAprMayJunJulAugSepOctNovDec
  month=${month%%"$3"*}
  seconds_of "$4" "$((${#month} / 3 + 1))" "$2" "$5" "$6" "$7"
  clock_differs "$url" "$seconds"
}

check_images() {
  for service in $services; do
    image=$(image_of "$service")
    case $(printf '%s\n' "$wanted" | grep "^$service ") in
      *' built') good "$service: $image is built on this host" ;;
      *)
        [ "$service" != bot ] || [ -z "$release" ] || image=$(tagged "$image" "$release")
        if [ -n "$(image_id "$image")" ]; then good "$service: $image is on this host"
        elif docker manifest inspect "$image" >/dev/null 2>&1; then good "$service: $image can be pulled"; else
          bad "$service: $image is neither on this host nor in its registry." "log in ('docker login'), or correct its name in .env."
        fi
        ;;
    esac
  done
}

check_doctor() {
  sidecar_image=$(image_of sidecar)
  if [ -z "$sidecar_image" ] || [ -z "$(image_id "$sidecar_image")" ]; then
    note 'the doctor has not looked: the image of the sidecar is not built yet'
    return 0
  fi
  docker compose config --format json 2>/dev/null </dev/null |
    docker run --rm --interactive --network none "$sidecar_image" doctor >"$output" 2>&1
  case $? in
    0) good 'the doctor finds nothing that could leave positions open' ;;
    1)
      told 60
      bad 'the doctor finds errors in the stack.' 'mend what it names above.'
      ;;
    *) note "the doctor of this sidecar image could not read the stack: $(tail -n 1 "$output")" ;;
  esac
}

check_single_bot() {
  bots=$(compose ps --quiet bot 2>/dev/null | grep -c .)
  [ "$bots" -le 1 ] || bad "$bots bots run in this project, and they trade against each other." "run 'docker compose up -d --scale bot=1'."
}
