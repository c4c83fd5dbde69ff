"""A canvas of 640 x 480 with soft shapes: gradients, shadows, smooth outlines, drawn three times as large."""

from contextlib import contextmanager
from math import cos, radians, sin

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

W, H, S = 640, 480, 3


def rgb(colour):
    """'#rrggbb' or a tuple."""
    if isinstance(colour, str):
        return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return tuple(colour)


def mix(a, b, t):
    """Between two colours; t = 0 is the first."""
    return tuple(round(x + (y - x) * t) for x, y in zip(rgb(a), rgb(b)))


def light(colour, t=0.25):
    return mix(colour, "#ffffff", t)


def dark(colour, t=0.25):
    return mix(colour, "#101828", t)


def rect(x, y, w, h, r=0):
    """Corners rounded with radius r."""
    if r == 0:
        return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    corners = [(x + w - r, y + r, -90), (x + w - r, y + h - r, 0), (x + r, y + h - r, 90), (x + r, y + r, 180)]
    return [(cx + r * cos(radians(a + i * 15)), cy + r * sin(radians(a + i * 15)))
            for cx, cy, a in corners for i in range(7)]


def oval(x, y, rx, ry=None, start=0, end=360):
    ry = rx if ry is None else ry
    return [(x + rx * cos(radians(a)), y + ry * sin(radians(a))) for a in np.linspace(start, end, 72)]


def smooth(points, closed=True, steps=14):
    """A Catmull-Rom curve through the points."""
    p = np.array(points, float)
    n = len(p)
    out = []
    for i in range(n if closed else n - 1):
        at = [(i + k) % n if closed else min(max(i + k, 0), n - 1) for k in (-1, 0, 1, 2)]
        a, b, c, d = p[at]
        for t in np.linspace(0, 1, steps, endpoint=False):
            out.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
                              + (3 * b - a - 3 * c + d) * t**3))
    if not closed:
        out.append(p[-1])
    return [tuple(q) for q in out]


class Canvas:
    def __init__(self, seed):
        self.image = Image.new("RGB", (W * S, H * S), "white")
        self.random = np.random.default_rng(seed)
        self.matrix = np.array([[S, 0, 0], [0, S, 0]], float)

    @contextmanager
    def at(self, x, y, scale=1.0, turn=0.0, flip=False):
        """Inside, (0, 0) is this place; scaled, turned by degrees, mirrored."""
        before = self.matrix
        c, s = scale * cos(radians(turn)), scale * sin(radians(turn))
        m = -1 if flip else 1
        local = np.array([[c * m, -s, x], [s * m, c, y], [0, 0, 1]])
        self.matrix = before @ local
        yield self
        self.matrix = before

    def _points(self, points):
        p = np.array(points, float)
        return p @ self.matrix[:, :2].T + self.matrix[:, 2]

    def _size(self):
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def _box(self, p, margin):
        low, high = p.min(0) - margin, p.max(0) + margin
        x0, y0 = max(int(low[0]), 0), max(int(low[1]), 0)
        x1, y1 = min(int(high[0]) + 2, W * S), min(int(high[1]) + 2, H * S)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def _mask(self, p, box, draw):
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]), 0)
        draw(ImageDraw.Draw(mask), [(x - box[0], y - box[1]) for x, y in p])
        return mask

    def fill(self, points, colour, to=None, across=False, blur=0, alpha=1.0, inside=None):
        """A shape; `to` makes a gradient down (or across); `inside` cuts it with another shape."""
        p = self._points(points)
        blur *= self._size()
        box = self._box(p, blur * 3)
        if box is None:
            return
        mask = self._mask(p, box, lambda d, q: d.polygon(q, fill=255))
        self._paint(mask, p, box, colour, to, across, blur, alpha, inside)

    def stroke(self, points, width, colour, to=None, blur=0, alpha=1.0, inside=None):
        """A line with round ends."""
        p = self._points(points)
        w, blur = width * self._size(), blur * self._size()
        box = self._box(p, w + blur * 3)
        if box is None:
            return

        def draw(d, q):
            d.line(q, fill=255, width=max(round(w), 1), joint="curve")
            for x, y in (q[0], q[-1]):
                d.ellipse((x - w / 2, y - w / 2, x + w / 2, y + w / 2), fill=255)

        self._paint(self._mask(p, box, draw), p, box, colour, to, False, blur, alpha, inside)

    def _paint(self, mask, p, box, colour, to, across, blur, alpha, inside):
        if blur:
            mask = mask.filter(ImageFilter.GaussianBlur(blur))
        if inside is not None:
            cut = self._mask(self._points(inside), box, lambda d, q: d.polygon(q, fill=255))
            mask = Image.fromarray(np.minimum(np.asarray(mask), np.asarray(cut)))
        if alpha < 1:
            mask = mask.point(lambda v: int(v * alpha))
        size = (box[2] - box[0], box[3] - box[1])
        if to is None:
            layer = Image.new("RGB", size, rgb(colour))
        else:
            axis, length = (0, size[0]) if across else (1, size[1])
            low, high = p[:, axis].min(), max(p[:, axis].max(), p[:, axis].min() + 1)
            t = np.clip((np.arange(length) + box[axis] - low) / (high - low), 0, 1)[:, None]
            line = np.array(rgb(colour)) * (1 - t) + np.array(rgb(to)) * t
            line = line[None] if across else line[:, None]
            layer = Image.fromarray(np.broadcast_to(line, (size[1], size[0], 3)).astype(np.uint8))
        self.image.paste(layer, box[:2], mask)

    def shadow(self, x, y, rx, ry, alpha=0.35, blur=6):
        self.fill(oval(x, y, rx, ry), "#0c1320", blur=blur, alpha=alpha)

    def finish(self):
        """At its size, with a soft falling off of light to the corners and a grain that hides banding."""
        small = np.asarray(self.image.resize((W, H), Image.LANCZOS)).astype(float)
        y, x = np.mgrid[0:H, 0:W]
        far = ((x / W - 0.5) ** 2 + (y / H - 0.5) ** 2)[..., None]
        small = small * (1 - 0.28 * far) + self.random.normal(0, 1.1, (H, W, 1))
        return Image.fromarray(np.clip(small, 0, 255).astype(np.uint8))
