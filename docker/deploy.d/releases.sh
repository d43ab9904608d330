# shellcheck shell=sh
# What was shipped when: the journal, one JSON object a line, and the images that are kept for a way back.
#
# A line: at, action (ship, rollback or found), result (started, good, failed or aborted), id, release, flat, models,
# backup, config, and images with service, image (the name), id (of the image on this host) and digest (of the
# registry; empty for what was built here). Values hold no quotes, so that sh can read them back.

KEPT_RELEASES=5
KEPT_BACKUPS=10

# field NAME LINE: the value of a text field of a line of the journal.
field() {
  case $2 in *"\"$1\":\""*) ;; *) return 0 ;; esac
  rest=${2#*"\"$1\":\""}
  printf '%s' "${rest%%\"*}"
}

plain() { printf '%s' "$1" | tr -d '"\\' | tr '\n\t' '  '; }

# described SERVICE NAME ID: an image, as it stands in the journal.
described() {
  digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$3" 2>/dev/null | head -n 1)
  printf '{"service":"%s","image":"%s","id":"%s","digest":"%s"}' "$1" "$2" "$3" "$digest"
}

# images_now: the images of the containers that are there.
images_now() {
  separator=
  for service in $services; do
    facts=$(look "$service" '{{.Config.Image}} {{.Image}}')
    [ -n "$facts" ] || continue
    printf '%s' "$separator"
    described "$service" "${facts% *}" "${facts#* }"
    separator=,
  done
}

# images_wanted: the images that the model names, as they are on this host.
images_wanted() {
  separator=
  for service in $services; do
    printf '%s' "$separator"
    described "$service" "$(image_of "$service")" "$(image_id "$(image_of "$service")")"
    separator=,
  done
}

# same_images LINE JSON: whether both have the same services with the same images, under whatever names.
same_images() {
  [ "$(images_of "$1" | cut -d ' ' -f 1,3)" = "$(images_of "\"images\":[$2]" | cut -d ' ' -f 1,3)" ]
}

# images_of LINE: service, name and id of each image of a line of the journal, one a line.
images_of() {
  images=${1#*'"images":['}
  while :; do
    case $images in *'{"service":'*) ;; *) return 0 ;; esac
    printf '%s %s %s\n' "$(field service "$images")" "$(field image "$images")" "$(field id "$images")"
    images=${images#*'}'}
  done
}

# config_sum: of everything but the images.
config_sum() { printf '%s\n' "$model" | grep -v '^    image:' | cksum | cut -d ' ' -f 1; }

# record ACTION RESULT ID RELEASE IMAGES: one line more in the journal, on disk before anything else happens.
record() {
  printf '{"at":"%s","action":"%s","result":"%s","id":"%s","release":"%s","flat":"%s","models":"%s","backup":"%s","config":"%s","images":[%s]}\n' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$2" "$3" "$4" "${flat:-}" "$(plain "${models:-}")" "$(plain "${backup:-}")" "$(config_sum)" "$5" \
    >>"$journal" || fail 1 "cannot write to $journal."
  sync
}

# read_journal: the line of the release that should run in $current, whether its deploy ended well in $current_good,
# and the good releases under it, newest last, one id a line, in $good_ids.
read_journal() {
  current='' current_good=no good_ids=''
  [ -e "$journal" ] || return 0
  while IFS= read -r line; do
    line_id=$(field id "$line")
    result=$(field result "$line")
    # Half a line, from a power cut, says nothing.
    case $line in '{"at":'*']}') ;; *) continue ;; esac
    # Going back to a release forgets those that came after it.
    if [ "$(field action "$line")" = rollback ]; then
      good_ids=$(printf '%s\n' "$good_ids" | awk -v id="$line_id" '{ print } $0 == id { exit }')
    fi
    current=$line current_good=no
    if [ "$result" = good ]; then
      current_good=yes
      good_ids=$(printf '%s\n%s\n' "$good_ids" "$line_id" | awk 'NF && !seen[$0]++')
    fi
  done <"$journal"
}

# release_line ID: the newest good line of that release.
release_line() { grep "\"id\":\"$1\"" "$journal" | grep '"result":"good"' | tail -n 1; }

# way_back: the id of the release that a rollback goes to; nothing when there is none.
way_back() {
  if [ "$current_good" = yes ]; then
    printf '%s\n' "$good_ids" | sed '$d' | tail -n 1
  else
    printf '%s\n' "$good_ids" | tail -n 1
  fi
}

# keep ID LINE: names the images of a release, so that no clean-up takes them while there is a way back to it.
keep() {
  images_of "$2" | while read -r service _ id; do
    docker tag "$id" "$project-$service:$1"
  done
}

# go_back_to ID LINE: makes .env name the images of a release, so that a plain `docker compose up -d` brings up this one
# and no other. Where a name stands for another image by now, the name under which it is kept is taken. The database
# stays as it is: its data would not go back with it.
go_back_to() {
  # Not through a pipe: the settings are read again below.
  while read -r service name id; do
    case $service in '' | db) continue ;; esac
    [ "$(image_id "$(image_of "$service")")" != "$id" ] || continue
    variable=$(image_variable "$service")
    if [ -z "$variable" ]; then
      note "$service: compose.yaml takes no variable for its image; it stays as it is"
      continue
    fi
    [ "$(image_id "$name")" = "$id" ] || name=$project-$service:$1
    write_setting "$variable" "$name"
    good ".env: $variable=$name"
  done <<LIST
$(images_of "$2")
LIST
}

# forget_old_releases: takes away the names of all but the newest good releases, and the oldest backups.
forget_old_releases() {
  kept=$(printf '%s\n' "$good_ids" | tail -n "$KEPT_RELEASES")
  for service in $services; do
    docker image ls --format '{{.Tag}}' "$project-$service" 2>/dev/null |
      grep -E '^[0-9]{8}T[0-9]{6}Z$' | grep -vxF "$kept" | while read -r tag; do
        docker image rm "$project-$service:$tag" >/dev/null 2>&1
      done
  done
  find "$state/backups" -name '*.dump' 2>/dev/null | sort | awk -v kept="$KEPT_BACKUPS" '{ all[NR] = $0 } END { for (i = 1; i <= NR - kept; i++) print all[i] }' |
    while IFS= read -r dump; do rm -f "$dump"; done
}

# show_journal: the journal for a person.
show_journal() {
  if [ ! -s "$journal" ]; then
    say 'Nothing was shipped yet.'
    return
  fi
  printf '%-20s  %-8s  %-7s  %-20s  %s\n' WHEN ACTION RESULT RELEASE 'IMAGES'
  while IFS= read -r line; do
    printf '%-20s  %-8s  %-7s  %-20s  ' "$(field at "$line")" "$(field action "$line")" "$(field result "$line")" "$(field release "$line")"
    images_of "$line" | while read -r service _ id; do printf '%s %.19s  ' "$service" "$id"; done
    models=$(field models "$line")
    say "${models:+[$models]}"
  done <"$journal"
}
