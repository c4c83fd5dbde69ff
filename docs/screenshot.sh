#!/bin/sh
# Draws docs/page.png: a photo search over samples/photos, as the page shows it. Needs a built program, a photo encoder
# (`simile models pull resnet50`, or a folder of yours in SIMILE_MODELS), curl, Chromium, and Python with Pillow.
set -eu

cd "$(dirname "$0")/.."
simile=${SIMILE:-target/release/simile}
port=${PORT:-8399}
query=${1:-samples/photos/mountains/snowy-peak.jpg}
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

models=${SIMILE_MODELS:-}:${SIMILE_DATA:-$HOME/.local/share/simile}/models
"$simile" --data "$folder/data" --models "$models" index samples/photos --collection photos
"$simile" --data "$folder/data" --models "$models" serve --port "$port" &
server=$!
until curl -fs "http://127.0.0.1:$port/healthz" >"$folder/alive"; do sleep 0.2; done

page=$(curl -s -o "$folder/page.html" -w '%{redirect_url}' -F "photo=@$query" -F c=photos "http://127.0.0.1:$port/")
chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --lang=en --window-size=1440,1000 \
    --virtual-time-budget=8000 --user-data-dir="$folder/chromium" --screenshot="$folder/page.png" "$page"
python3 - "$folder/page.png" docs/page.png <<'PY'
import sys
from PIL import Image

picture = Image.open(sys.argv[1]).convert("RGB")
picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG).save(sys.argv[2], optimize=True)
PY
