# Writes what the sources say of the keys of a configuration: Training.sh CHECKOUT FOLDER
#
# The comment above a property of a section is the only text about its key; here it becomes a table.
set -eu
cd "$1/Sources"
mkdir -p "$2"
{
  echo '/// The comments of properties and choices in files with sections of a configuration, by type and name.'
  echo 'let settingDocuments: [String: String] = ['
  grep -rlE 'SettingsSection|SettingsChoice|enum [A-Za-z]+: String' Baron CLIP Detection Layers Tensors Training --include='*.swift' \
    | LC_ALL=C sort | while read -r file; do
    LC_ALL=C awk '
      function place(depth,  path, level) {
        path = ""
        for (level = 0; level < depth; level++) path = path types[level] "."
        return path
      }
      function tell(path) {
        if (text != "" && !(path in known)) { known[path] = 1; printf "  \"%s\": ####\"%s\"####,\n", path, text }
      }
      {
        match($0, /^ */); depth = int(RLENGTH / 2); line = substr($0, RLENGTH + 1)
        if (line ~ /^\/\/\//) {
          sub(/^\/\/\/ ?/, "", line)
          if (line ~ /^- (Parameter|Returns|Throws)/) ended = 1
          if (!ended && line != "") text = text (text == "" ? "" : " ") line
          next
        }
        if (line ~ /^@/) next
        if (match(line, /(struct|enum|class|extension) [A-Za-z0-9_.]+/) && line !~ /^(\/\/|case|let|var|return)/) {
          name = substr(line, RSTART, RLENGTH); sub(/^[a-z]+ /, "", name); types[depth] = name
        } else if (match(line, /^(package |public )?var [A-Za-z0-9_]+/)) {
          name = substr(line, RSTART, RLENGTH); sub(/^.*var /, "", name); tell(place(depth) name)
        } else if (match(line, /^case [A-Za-z0-9_]+( = "[^"]*")?/)) {
          name = substr(line, RSTART, RLENGTH); sub(/^case /, "", name)
          if (name ~ /"/) { sub(/^[^"]*"/, "", name); sub(/"$/, "", name) }
          tell(place(depth) name)
        }
        text = ""; ended = 0
      }' "$file"
  done
  echo ']'
} >"$2.new"
# A file that is not touched is not compiled again.
cmp -s "$2.new" "$2/SettingDocuments.swift" || mv "$2.new" "$2/SettingDocuments.swift"
