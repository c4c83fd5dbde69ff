"""Trains simile's starter image encoder, a headless ResNet50, from scratch on a CPU.

    python train.py train --data DIR --out DIR --hours 1.7    # decode, train, export
    python train.py measure --photos DIR --weights model.safetensors
    python train.py samples --weights model.safetensors --card card.toml --photos ../../samples/photos

DIR of --data is a folder of WebP mosaics (SET.tsv beside SET-n.tar); its read.py
describes the form. A run that was stopped goes on from the checkpoint in --out.
Needs torch, torchvision, pillow, numpy and safetensors.
"""
import argparse
import csv
import io
import json
import math
import os
import signal
import sys
import tarfile
import threading
import time
import tomllib

# Two threads each drive a model replica of their own with single-threaded kernels: no
# kernel then spins at a barrier for a core that another process took. Memory is kept
# rather than given back, since page faults cost as much as the arithmetic.
SETTINGS = {
    'OMP_NUM_THREADS': '1', 'OMP_WAIT_POLICY': 'passive', 'MALLOC_ARENA_MAX': '2',
    'MALLOC_MMAP_THRESHOLD_': str(1 << 32), 'MALLOC_TRIM_THRESHOLD_': str(1 << 34),
    'MALLOC_TOP_PAD_': str(1 << 28),
}
if __name__ == '__main__' and any(os.environ.get(k) != v for k, v in SETTINGS.items()):
    os.execve(sys.executable, [sys.executable] + sys.argv, {**os.environ, **SETTINGS})

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image, ImageEnhance, ImageFilter
from safetensors.torch import load_file, save_file

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE = 56                    # every training picture is stored at this size
STAGES = ((0.7, 40), (0.88, 48), (1.0, 64))   # (until this share of the run, pixels)
BATCH, PEAK_LR, SECOND_PEAK_LR, MOMENTUM, DECAY, SMOOTHING = 96, 0.2, 0.12, 0.9, 5e-5, 0.1
PAIRS_EVERY, PAIR_WEIGHT, TEMPERATURE = 2, 1.5, 0.07
KIN = 4                      # photos of one class in a paired batch: near ones to tell apart
EMA_EVERY, EMA_KEEP, LOG_EVERY = 8, 0.98, 50
SKIPPED = 'BACKGROUND_Google'     # mixed pictures, no class


# ---------------------------------------------------------------- pictures

def read_set(data, part):
    """Yields (uint8 picture [SIDE, SIDE, 3], class name) of one set of mosaics."""
    tars = {}
    listed = os.path.join(data, part + '.tsv')
    if not os.path.isfile(listed):
        raise SystemExit(f'{listed} is absent: --data wants the folder of mosaics that holds it')
    with open(listed) as table:
        rows = list(csv.DictReader(table, delimiter='\t'))
    for row in rows:
        if row['class'] == SKIPPED:
            continue
        if row['tar'] not in tars:
            tars[row['tar']] = tarfile.open(os.path.join(data, row['tar']))
        packed = tars[row['tar']].extractfile(row['member']).read()
        mosaic, side = Image.open(io.BytesIO(packed)).convert('RGB'), int(row['side'])
        for i in range(int(row['tiles'])):
            y, x = divmod(i, 10)
            tile = mosaic.crop((x * side, y * side, (x + 1) * side, (y + 1) * side))
            if side != SIDE:
                tile = tile.resize((SIDE, SIDE), Image.LANCZOS)
            yield np.asarray(tile), row['class']


def pack(data, cache, name, parts):
    """Decodes sets once into a memory-mapped array; returns (pictures, labels, classes)."""
    pixels, labels = (os.path.join(cache, f'{name}.{kind}.npy') for kind in ('px', 'label'))
    names = os.path.join(cache, f'{name}.json')
    if not os.path.exists(names):
        pictures, classes = zip(*(item for part in parts for item in read_set(data, part)))
        known = sorted(set(classes))
        index = {c: i for i, c in enumerate(known)}
        np.save(pixels, np.stack(pictures))
        np.save(labels, np.array([index[c] for c in classes]))
        with open(names, 'w') as out:    # last, so that a half-written cache is redone
            json.dump(known, out)
    with open(names) as known:
        return np.load(pixels, mmap_mode='r'), np.load(labels), json.load(known)


def uniform(n, low, high, rng):
    return torch.rand(n, generator=rng) * (high - low) + low


def augment(pictures, size, strong, rng):
    """Random resized crop, flip, rotation and colour of a uint8 batch, in one sampling."""
    n = len(pictures)
    area = uniform(n, 0.25 if strong else 0.35, 1.0, rng)
    ratio = torch.exp(uniform(n, math.log(0.75), math.log(4 / 3), rng) / 2)
    w, h = (area.sqrt() * ratio).clamp(max=1), (area.sqrt() / ratio).clamp(max=1)
    cx, cy = (1 - w) * uniform(n, -1, 1, rng), (1 - h) * uniform(n, -1, 1, rng)
    w = torch.where(torch.rand(n, generator=rng) < 0.5, w, -w)
    angle = uniform(n, -15, 15, rng) * (math.pi / 180) * (torch.rand(n, generator=rng) < 0.3 + 0.4 * strong)
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.stack([torch.stack([w * cos, -h * sin, cx], 1), torch.stack([w * sin, h * cos, cy], 1)], 1)
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255)
    grid = F.affine_grid(theta, (n, 3, size, size), align_corners=False)
    edge = 'zeros' if strong and torch.rand((), generator=rng) < 0.5 else 'reflection'
    x = F.grid_sample(x, grid, padding_mode=edge, align_corners=False)
    if strong and torch.rand((), generator=rng) < 0.4:    # a blur: half the resolution
        x[::3] = F.interpolate(F.avg_pool2d(x[::3], 2), size=(size, size), mode='bilinear', align_corners=False)
    x = colour(x, 0.4 if strong else 0.2, rng)
    if strong:
        x += torch.randn(x.shape, generator=rng) * uniform(n, 0, 0.05, rng).view(n, 1, 1, 1)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return ((x - mean) / std).to(memory_format=torch.channels_last)


def colour(x, amount, rng):
    """Brightness, contrast and saturation as one 3x3 matrix and offset per picture."""
    n = len(x)
    bright, contrast, saturation = (uniform(n, 1 - amount, 1 + amount, rng) for _ in range(3))
    if amount > 0.3:
        saturation = torch.where(torch.rand(n, generator=rng) < 0.1, torch.zeros(n), saturation)
    grey = torch.tensor([0.299, 0.587, 0.114])
    mix = saturation.view(n, 1, 1) * torch.eye(3) + (1 - saturation).view(n, 1, 1) * grey.expand(3, 3)
    level = (x.mean((2, 3)) @ grey).view(n, 1, 1)
    scale = (bright * contrast).view(n, 1, 1)
    offset = level * (bright * (1 - contrast)).view(n, 1, 1)
    flat = torch.baddbmm(offset.expand(n, 3, 1), mix * scale, x.reshape(n, 3, -1))
    return flat.clamp_(0, 1).view_as(x)


# ------------------------------------------------------------------- model

class Encoder(torch.nn.Module):
    """torchvision's ResNet50 without its classifier: pictures to 2048 numbers."""

    def __init__(self):
        super().__init__()
        self.net = torchvision.models.resnet50(zero_init_residual=True)
        self.net.fc = torch.nn.Identity()

    def maps(self, x):
        n = self.net
        x = n.maxpool(n.relu(n.bn1(n.conv1(x))))
        return n.layer4(n.layer3(n.layer2(n.layer1(x))))

    def forward(self, x):
        return self.maps(x).float().mean((2, 3))


class Learner(torch.nn.Module):
    """Encoder and classifier; the classifier only serves the training."""

    def __init__(self, classes):
        super().__init__()
        self.encoder = Encoder()
        self.head = torch.nn.Linear(2048, classes)
        torch.nn.init.normal_(self.head.weight, std=0.01)


def replica_of(master):
    """A copy whose convolutions work in bf16; its statistics are those of the master."""
    copy = Learner(master.head.out_features).to(memory_format=torch.channels_last).train()
    for mine, theirs in zip(copy.modules(), master.modules()):
        if isinstance(mine, torch.nn.Conv2d):
            mine.bfloat16()
        elif isinstance(mine, torch.nn.BatchNorm2d):
            mine.running_mean, mine.running_var = theirs.running_mean, theirs.running_var
            mine.num_batches_tracked = None
            mine.momentum = 0.02
    return copy


def loss_of(model, x, labels, paired):
    """Cross entropy, and for paired views the contrast of each photo with all others."""
    features = model.encoder(x.bfloat16())
    logits = model.head(features)
    loss = F.cross_entropy(logits, labels, label_smoothing=SMOOTHING)
    hits = (logits.detach().argmax(1) == labels).float().mean()
    if not paired:
        return loss, hits, None
    half = len(x) // 2
    unit = F.normalize(features)
    likeness = unit @ unit.T / TEMPERATURE
    partner = torch.arange(len(x)).roll(half)
    # Photos of the same class are told apart too; only a view is no rival of itself.
    contrast = F.cross_entropy(likeness.fill_diagonal_(-1e4), partner)
    return loss + PAIR_WEIGHT * contrast, hits, contrast.item()


# ---------------------------------------------------------------- training

class Run:
    """The state that both workers share: master weights, optimiser, average, clock."""

    def __init__(self, options, pictures, labels, classes):
        torch.manual_seed(options.seed)
        self.options, self.pictures, self.labels = options, pictures, labels
        self.master = Learner(len(classes)).to(memory_format=torch.channels_last)
        self.params = list(self.master.parameters())
        decayed = [p for p in self.params if p.ndim > 1]
        plain = [p for p in self.params if p.ndim == 1]
        self.optimiser = torch.optim.SGD(
            [{'params': decayed, 'weight_decay': DECAY}, {'params': plain}],
            lr=0.0, momentum=MOMENTUM, nesterov=True, fused=True)
        self.average = [p.detach().clone() for p in self.params]
        self.lock, self.step, self.seen, self.first_progress = threading.Lock(), 0, 0, 0.0
        self.path, self.warm_from, self.peak = os.path.join(options.out, 'checkpoint.pt'), 0, PEAK_LR
        if options.start and not os.path.exists(self.path):
            self.start_from(options.start)
        else:
            self.resume()
        self.started = self.saved = time.time()
        left = (1 - self.first_progress) * options.hours * 3600
        self.length = options.until - self.started if options.until else left
        self.sums, self.logged, self.stopped = np.zeros(5), time.time(), False

    def load(self, path):
        try:
            kept = torch.load(path, map_location='cpu')
            classes = kept['classes']
        except Exception as e:
            raise SystemExit(f'{path} is no checkpoint of this program ({e}); remove it or choose another --out')
        if classes != self.master.head.out_features:
            raise SystemExit(f'{path} was made with {classes} classes; remove it or choose another --out')
        try:
            self.master.load_state_dict(kept['master'])
        except (KeyError, RuntimeError):
            raise SystemExit(f'{path} is of another architecture; remove it or choose another --out')
        self.average = kept['average']
        self.step, self.seen = kept['step'], kept['seen']
        return kept

    def resume(self):
        if os.path.exists(self.path):
            kept = self.load(self.path)
            self.optimiser.load_state_dict(kept['optimiser'])
            self.first_progress, self.warm_from = kept['progress'], kept.get('warm_from', 0)
            self.peak = kept.get('peak', PEAK_LR)

    def start_from(self, path):
        """A second run: the first one's averaged weights, a new schedule from a lower rate."""
        self.load(path)
        self.warm_from, self.peak = self.step, SECOND_PEAK_LR
        with torch.no_grad():
            for mine, kept in zip(self.params, self.average):
                mine.copy_(kept)

    def save(self):
        kept = {'master': self.master.state_dict(), 'optimiser': self.optimiser.state_dict(),
                'average': self.average, 'step': self.step, 'seen': self.seen,
                'progress': self.progress(), 'classes': self.master.head.out_features,
                'warm_from': self.warm_from, 'peak': self.peak}
        torch.save(kept, self.path + '.part')
        os.replace(self.path + '.part', self.path)
        self.saved = time.time()

    def progress(self):
        # The clock, not a number of steps, decides the schedule: a busy machine makes
        # the run see fewer pictures, but its learning rate still ends at zero in time.
        spent = (time.time() - self.started) / self.length
        return min(1.0, self.first_progress + (1 - self.first_progress) * spent)

    def rate(self, progress):
        warm = min(1.0, (self.step - self.warm_from) / 300)
        return self.peak * warm * 0.5 * (1 + math.cos(math.pi * progress))

    def take(self):
        """The next step's number, picture numbers and whether it shows pairs."""
        with self.lock:
            step, first = self.step, self.seen
            self.step += 1
            paired = step % PAIRS_EVERY == 0
            count = BATCH // 2 if paired else BATCH
            self.seen += count
        total = len(self.labels)
        chosen = [order(self.options.seed, epoch, total)[max(first, epoch * total) - epoch * total:
                                                         min(first + count, (epoch + 1) * total) - epoch * total]
                  for epoch in range(first // total, (first + count - 1) // total + 1)]
        chosen = np.concatenate(chosen)
        return step, self.kin(chosen[::KIN]) if paired else chosen, paired

    def kin(self, photos):
        """Each photo with the next ones of its class (the pictures lie class by class)."""
        near = photos[:, None] + np.arange(KIN)
        same = self.labels[np.minimum(near, len(self.labels) - 1)] == self.labels[photos][:, None]
        return np.where(same, near, photos[:, None] - np.arange(KIN)).ravel()

    def apply(self, replica, loss, hits, contrast, progress, size):
        """Adds one replica's gradient to the master and hands the new weights back."""
        with self.lock:
            if math.isfinite(loss):
                for group in self.optimiser.param_groups:
                    group['lr'] = self.rate(progress)
                for mine, theirs in zip(self.params, replica.parameters()):
                    mine.grad = theirs.grad.to(mine.dtype)
                self.optimiser.step()
            with torch.no_grad():
                for mine, theirs in zip(self.params, replica.parameters()):
                    theirs.copy_(mine)
            self.sums += (loss, hits, contrast or 0.0, contrast is not None, 1)
            done = int(self.sums[4])
            if self.step % EMA_EVERY == 0:
                keep = min(EMA_KEEP, self.step / (self.step + 100))
                torch._foreach_lerp_(self.average, [p.detach() for p in self.params], 1 - keep)
            if done >= LOG_EVERY:
                self.log(progress, size)
            if time.time() - self.saved > self.options.save_minutes * 60:
                self.save()

    def log(self, progress, size):
        loss, hits, contrast, pairs, steps = self.sums
        now = time.time()
        line = (f'{time.strftime("%H:%M:%S")} step {self.step} progress {progress:.4f} size {size} '
                f'lr {self.rate(progress):.4f} loss {loss / steps:.3f} top1 {hits / steps:.3f} '
                f'contrast {contrast / max(pairs, 1):.3f} photos {self.seen} '
                f'views/s {steps * BATCH / (now - self.logged):.0f}')
        with open(os.path.join(self.options.out, 'training-log.txt'), 'a') as out:
            print(line, file=out)
        self.sums, self.logged = np.zeros(5), now


ORDERS = {}


def order(seed, epoch, total):
    if epoch not in ORDERS:
        ORDERS[epoch] = np.random.default_rng((seed, epoch)).permutation(total)
    return ORDERS[epoch]


def size_at(progress):
    return next(size for until, size in STAGES if progress <= until)


def work(run):
    """One worker: draws a batch, computes its gradient, applies it, until time is up."""
    torch.set_flush_denormal(True)
    replica = replica_of(run.master)
    with run.lock, torch.no_grad():
        for mine, theirs in zip(replica.parameters(), run.master.parameters()):
            mine.copy_(theirs)
    while (progress := run.progress()) < 1.0 and not run.stopped:
        step, chosen, paired = run.take()
        rng = torch.Generator().manual_seed(run.options.seed * 1_000_003 + step)
        size = size_at(progress)
        chosen = np.sort(chosen)     # in file order: kinder to the page cache
        pictures, labels = run.pictures[chosen], torch.from_numpy(run.labels[chosen])
        views = [augment(pictures, size, paired, rng) for _ in range(2 if paired else 1)]
        if paired:
            labels = labels.repeat(2)
        replica.zero_grad(set_to_none=True)
        loss, hits, contrast = loss_of(replica, torch.cat(views), labels, paired)
        loss.backward()
        run.apply(replica, loss.item(), hits.item(), contrast, progress, size)


def train(options):
    os.makedirs(options.out, exist_ok=True)
    cache = options.cache or options.out
    os.makedirs(cache, exist_ok=True)
    run = Run(options, *pack(options.data, cache, 'train', ('tin-train', 'caltech')))
    signal.signal(signal.SIGTERM, lambda *_: setattr(run, 'stopped', True))
    workers = [threading.Thread(target=work, args=(run,)) for _ in range(options.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    run.save()
    if not run.stopped:
        export(options)


# ------------------------------------------------------------------ export

def averaged(out, data, cache):
    """The averaged weights of a checkpoint, with batch statistics that belong to them."""
    kept = torch.load(os.path.join(out, 'checkpoint.pt'), map_location='cpu')
    model = Learner(kept['classes'])
    with torch.no_grad():
        for mine, theirs in zip(model.parameters(), kept['average']):
            mine.copy_(theirs)
    pictures, _, classes = pack(data, cache, 'train', ('tin-train', 'caltech'))
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None         # a plain mean over all batches that follow
    model.train().to(memory_format=torch.channels_last)
    rng, draw = torch.Generator().manual_seed(1), np.random.default_rng(1)
    with torch.no_grad():
        for _ in range(50):
            chosen = np.sort(draw.choice(len(pictures), 128, replace=False))
            model.encoder(augment(pictures[chosen], size_at(kept['progress']), False, rng))
    return model.eval(), classes


def quantised(net):
    """Tensors of the file: int8 convolutions with a scale per output channel, f32 norms."""
    tensors = {}
    for name, value in net.state_dict().items():
        if name.endswith('num_batches_tracked'):
            continue
        if value.ndim == 4:
            scale = value.abs().amax((1, 2, 3)).clamp(min=1e-12) / 127
            tensors[name + '_scale'] = scale
            value = (value / scale.view(-1, 1, 1, 1)).round().clamp(-127, 127).to(torch.int8)
        tensors[name] = value.contiguous()
    return tensors


def load_encoder(path):
    """An encoder from a file of this form, or from a plain torchvision one."""
    tensors = load_file(path)
    for name in [n for n in tensors if n.endswith('_scale')]:
        scale, weight = tensors.pop(name), name.removesuffix('_scale')
        tensors[weight] = tensors[weight].float() * scale.view(-1, 1, 1, 1)
    encoder = Encoder()
    missing, unknown = encoder.net.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)
    missing = [m for m in missing if not m.endswith('num_batches_tracked')]
    if missing or set(unknown) - {'fc.weight', 'fc.bias'}:
        raise SystemExit(f'{path} is no ResNet50: missing {missing[:3]}, unknown {unknown[:3]}')
    return encoder.eval().to(memory_format=torch.channels_last)


def export(options):
    """Writes model.safetensors and prints how it does on pictures kept apart."""
    cache = options.cache or options.out
    model, classes = averaged(options.out, options.data, cache)
    path = os.path.join(options.out, 'model.safetensors')
    save_file(quantised(model.encoder.net), path, {'format': 'pt'})
    print(f'{path}: {os.path.getsize(path):,} bytes')
    pictures, labels, names = pack(options.data, cache, 'val', ('tin-val',))
    every = max(1, len(labels) // options.pictures)
    pictures, labels = pictures[::every], labels[::every]
    small = load_encoder(path)
    for size in options.sizes:
        batch = lambda rows: normalised(F.interpolate(
            torch.from_numpy(rows.copy()).permute(0, 3, 1, 2).float() / 255, size=(size, size),
            mode='bilinear', antialias=True))
        full = embed(model.encoder, pictures, batch)
        with torch.no_grad():
            top = [names.index(n) if n in names else -1 for n in
                   (classes[i] for i in model.head(full).argmax(1))]
        near = F.cosine_similarity(full, embed(small, pictures, batch))
        p1, p10, mean = retrieval(full, labels)
        print(f'val at {size} pixels: top-1 {(np.array(top) == labels).mean():.3f} P@1 {p1:.3f} P@10 {p10:.3f} '
              f'mAP {mean:.3f}; cosine of int8 to f32 mean {near.mean():.5f} least {near.min():.5f}', flush=True)


# ----------------------------------------------------------------- measure

def normalised(x):
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return ((x - mean) / std).to(memory_format=torch.channels_last)


@torch.no_grad()
def embed(encoder, items, batch, count=64):
    return torch.cat([encoder(batch(items[i:i + count])) for i in range(0, len(items), count)])


def retrieval(features, labels):
    """Leave-one-out precision@1, precision@10 and mean average precision by cosine."""
    unit = F.normalize(features)
    likeness = unit @ unit.T
    likeness.fill_diagonal_(-2)
    same = torch.as_tensor(labels)[likeness.argsort(1, descending=True)[:, :-1]] == torch.as_tensor(labels).view(-1, 1)
    same = same.double()
    ranks = torch.arange(1, same.shape[1] + 1)
    average = (same * same.cumsum(1) / ranks).sum(1) / same.sum(1).clamp(min=1)
    return same[:, 0].mean().item(), same[:, :10].mean().item(), average.mean().item()


def prepare(photos, size, crop):
    """Short side to size / crop, bilinear, and the middle of it, as the card asks for."""
    rows = []
    for photo in photos:
        scale = math.floor(size / crop) / min(photo.size)
        sides = [max(size, round(side * scale)) for side in photo.size]
        x, y = ((side - size) // 2 for side in sides)
        rows.append(np.asarray(photo.resize(sides, Image.BILINEAR).crop((x, y, x + size, y + size))))
    return normalised(torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255)


def histogram(photos):
    """Share of the pixels in each of 8 x 8 x 8 colours."""
    rows = []
    for photo in photos:
        r, g, b = (np.asarray(photo.resize((128, 128))).reshape(-1, 3) // 32).T.astype(int)
        rows.append(np.bincount(r * 64 + g * 8 + b, minlength=512))
    return torch.from_numpy(np.stack(rows)).float()


def altered(photo, rng):
    """One augmented copy: crop, flip, rotation, colour, blur, noise, JPEG."""
    w, h = photo.size
    side = math.sqrt(rng.uniform(0.6, 1.0))
    cw, ch = round(w * side), round(h * side)
    x, y = rng.integers(0, w - cw + 1), rng.integers(0, h - ch + 1)
    photo = photo.crop((x, y, x + cw, y + ch))
    if rng.random() < 0.5:
        photo = photo.transpose(Image.FLIP_LEFT_RIGHT)
    photo = photo.rotate(rng.uniform(-15, 15), Image.BILINEAR)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        photo = change(photo).enhance(rng.uniform(0.6, 1.4))
    photo = photo.filter(ImageFilter.GaussianBlur(rng.uniform(0, 2)))
    noisy = np.asarray(photo) + rng.normal(0, rng.uniform(0, 12), (ch, cw, 3))
    packed = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(packed, 'JPEG', quality=int(rng.integers(50, 96)))
    return Image.open(packed).convert('RGB')


def read_folder(root):
    """Photos and labels of a folder whose folders are the classes."""
    photos, labels = [], []
    classes = sorted(e.name for e in os.scandir(root) if e.is_dir())
    for label, name in enumerate(classes):
        for file in sorted(os.listdir(os.path.join(root, name))):
            photos.append(Image.open(os.path.join(root, name, file)).convert('RGB'))
            labels.append(label)
    if len(classes) < 2:
        raise SystemExit(f'{root} holds fewer than two class folders')
    return photos, np.array(labels)


def found(originals, copies, per_photo):
    """Share of the copies whose nearest original is their own."""
    nearest = (F.normalize(copies) @ F.normalize(originals).T).argmax(1)
    return (nearest == torch.arange(len(originals)).repeat_interleave(per_photo)).double().mean().item()


def measure(options):
    photos, labels = read_folder(options.photos)
    rng = np.random.default_rng(options.seed)
    copies = [altered(p, rng) for p in photos for _ in range(options.copies)]
    ways = [('colour histogram', histogram)]
    encoders = [('random weights', Encoder().eval())] if options.baselines else []
    encoders += [(path, load_encoder(path)) for path in options.weights]
    for name, encoder in encoders:
        for size in options.sizes:
            for crop in options.crops:
                way = lambda items, e=encoder, s=size, c=crop: embed(e, items, lambda part: prepare(part, s, c))
                ways.append((f'{name} at {size} crop {crop}', way))
    for name, way in ways if options.baselines else ways[1:]:
        features = way(photos)
        p1, p10, mean = retrieval(features, labels)
        recall = f' originals found {found(features, way(copies), options.copies):.4f}' if copies else ''
        print(f'{name}: P@1 {p1:.3f} P@10 {p10:.3f} mAP {mean:.3f}{recall}', flush=True)


# ----------------------------------------------------------------- samples

SAMPLES = ('boats/red-sailing-boat.jpg', 'cats/black-cat.jpg', 'fruit/bananas.jpg', 'trucks/red-truck.jpg')
FOLDS = 16                   # sums of a vector that the card holds


def samples(options):
    """Writes into the card what this code makes of simile's own sample photos; `simile models verify` compares."""
    with open(options.card, encoding='utf-8') as file:
        text = file.read()
    wanted = tomllib.loads(text)['preprocess']
    encoder = load_encoder(options.weights)
    lines = [text.split('# What train.py makes of')[0].rstrip(), '',
             '# What train.py makes of simile\'s own photos (train.py samples): the unit vector folded into a few sums,',
             '# number i of it into sum i modulo how many there are.']
    for name in SAMPLES:
        photo = Image.open(os.path.join(options.photos, name)).convert('RGB')
        vector = F.normalize(embed(encoder, prepare([photo], wanted['input'], wanted['crop_pct']), lambda rows: rows))[0]
        lines += ['[[parity]]', f'photo = "{name}"',
                  'folded = [' + ', '.join(f'{x:.5f}' for x in vector.view(-1, FOLDS).sum(0).tolist()) + ']', '']
    with open(options.card, 'w', encoding='utf-8') as file:
        file.write('\n'.join(lines).rstrip() + '\n')
    print(f'{options.card}: {len(SAMPLES)} photos')


def clock(text):
    """Today's HH:MM as seconds since the epoch."""
    hour, minute = map(int, text.split(':'))
    now = time.localtime()
    return time.mktime((now.tm_year, now.tm_mon, now.tm_mday, hour, minute, 0, 0, 0, -1))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    sub = commands.add_parser('train')
    sub.add_argument('--data', required=True)
    sub.add_argument('--out', required=True)
    sub.add_argument('--from', dest='start', help='checkpoint.pt of an earlier run whose weights this one starts from')
    sub.add_argument('--cache', help='folder of the decoded pictures (1 GB); default: --out')
    sub.add_argument('--hours', type=float, default=1.7)
    sub.add_argument('--until', type=clock, help='end at HH:MM today instead of after --hours')
    sub.add_argument('--workers', type=int, default=2)
    sub.add_argument('--save-minutes', type=float, default=6)
    sub.add_argument('--seed', type=int, default=7)
    for name in ('train', 'export'):
        sub = commands.choices.get(name) or commands.add_parser(name)
        sub.add_argument('--pictures', type=int, default=2000, help='how many to check the export on')
        sub.add_argument('--sizes', type=int, nargs='+', default=[64])
    sub.add_argument('--data', required=True)
    sub.add_argument('--out', required=True)
    sub.add_argument('--cache')
    sub = commands.add_parser('measure')
    sub.add_argument('--photos', required=True, help='a folder whose folders are the classes')
    sub.add_argument('--weights', nargs='*', default=[])
    sub.add_argument('--sizes', type=int, nargs='+', default=[128])
    sub.add_argument('--crops', type=float, nargs='+', default=[0.875])
    sub.add_argument('--copies', type=int, default=20)
    sub.add_argument('--baselines', action='store_true', help='also a colour histogram and random weights')
    sub.add_argument('--seed', type=int, default=7)
    sub = commands.add_parser('samples')
    here = os.path.dirname(os.path.abspath(__file__))
    sub.add_argument('--weights', default=os.path.join(here, 'model.safetensors'))
    sub.add_argument('--card', default=os.path.join(here, 'card.toml'))
    sub.add_argument('--photos', default=os.path.join(here, '../../samples/photos'))
    return parser.parse_args()


if __name__ == '__main__':
    chosen = arguments()
    {'train': train, 'export': export, 'measure': measure, 'samples': samples}[chosen.command](chosen)
