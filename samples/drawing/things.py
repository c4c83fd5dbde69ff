"""Houses, trees, mountains, fruit, cups, cats and flowers; things stand on y = 0."""

from math import cos, radians, sin

from .canvas import W, dark, light, mix, oval, rect, smooth

LIT = ("#ffd983", "#ffb84d")


def window(c, x, y, w, h, glass, frame="#ffffff"):
    c.fill(rect(x - 4, y - 4, w + 8, h + 8, 2), frame)
    c.fill(rect(x, y, w, h), glass[0], glass[1])
    c.fill(rect(x + w / 2 - 1.5, y, 3, h), frame)
    c.fill(rect(x, y + h / 2 - 1.5, w, 3), frame)
    c.fill(rect(x - 7, y + h + 3, w + 14, 5, 1), dark(frame, 0.15))


def house(c, wall, roof, storeys=1, glass=("#8db4c9", "#d9ebf3"), door="#7a4a30", logs=False, snow=False):
    w, h = (250, 112) if storeys == 1 else (210, 196)
    c.shadow(14, 2, w * 0.62, 12)
    c.fill(rect(w * 0.22, -h - 88, 30, 70), dark(roof, 0.1), dark(roof, 0.35))
    c.fill(rect(-w / 2, -h, w, h), light(wall, 0.2), dark(wall, 0.12))
    if logs:
        for y in range(-h + 14, 0, 16):
            c.fill(rect(-w / 2 - 4, y - 14, w + 8, 15, 7), light(wall, 0.12), dark(wall, 0.25))
    gable = [(-w / 2 - 22, -h + 6), (-w / 2 + 30, -h - 76), (w / 2 - 30, -h - 76), (w / 2 + 22, -h + 6)]
    c.fill(gable, light(roof, 0.15), dark(roof, 0.22))
    for i in range(1, 5):
        y = -h + 6 - i * 16
        c.fill(rect(-w / 2 - 22, y, w + 44, 2), dark(roof, 0.4), alpha=0.45, inside=gable)
    c.fill(rect(-w / 2, -h + 6, w, 9), "#0f1a2a", blur=3, alpha=0.25)
    if snow:
        c.fill(smooth([(-w / 2 - 24, -h + 2), (-w / 2 + 26, -h - 82), (w / 2 - 26, -h - 82), (w / 2 + 24, -h + 2),
                       (w / 4, -h - 12), (0, -h - 2), (-w / 4, -h - 14)]), "#ffffff", "#dfe9f3")
        c.fill(rect(w * 0.22 - 3, -h - 96, 36, 11, 5), "#ffffff")
    c.fill(rect(-20, -74, 40, 74, 3), "#ffffff")
    c.fill(rect(-16, -70, 32, 70, 2), light(door, 0.15), dark(door, 0.2))
    c.fill(oval(9, -34, 2.6), "#f2cf72")
    c.fill(rect(-28, -4, 56, 6), "#b9b4aa")
    for x in (-w / 2 + 26, w / 2 - 66):
        window(c, x, -78, 40, 40, glass)
    if storeys == 2:
        for x in (-w / 2 + 26, -20, w / 2 - 66):
            window(c, x, -168, 40, 46, glass)


def fence(c, x0, x1, y, colour="#ffffff"):
    c.fill(rect(x0, y - 26, x1 - x0, 5), dark(colour, 0.06))
    c.fill(rect(x0, y - 12, x1 - x0, 5), dark(colour, 0.06))
    for x in range(int(x0), int(x1), 17):
        c.fill([(x, y), (x, y - 32), (x + 5, y - 38), (x + 10, y - 32), (x + 10, y)], colour, dark(colour, 0.1))


def bush(c, colour, n=6, spread=40):
    for _ in range(n):
        x, y = c.random.uniform(-spread, spread), c.random.uniform(-26, -10)
        tone = mix(light(colour, 0.15), dark(colour, 0.2), c.random.random())
        c.fill(oval(x, y, 22, 18), light(tone, 0.2), dark(tone, 0.15))


def tree(c, kind, leaf="#5c9a46"):
    c.shadow(10, 2, 90, 10)
    if kind == "pine":
        c.fill(rect(-9, -50, 18, 52), "#8a6244", "#5b3d29")
        for i in range(6):
            w, y = 104 - i * 15, -36 - i * 44
            tier = [(-w, y), (-w * 0.5, y - 8), (0, y - 88), (w * 0.5, y - 8), (w, y), (w * 0.4, y + 8), (0, y + 2),
                    (-w * 0.4, y + 8)]
            c.fill(tier, light(leaf, 0.12), dark(leaf, 0.28))
        return
    if kind == "palm":
        trunk = smooth([(-12, 0), (-2, -110), (26, -214), (40, -210), (18, -110), (14, 0)], steps=10)
        c.fill(trunk, "#c49a68", "#85603c")
        for i in range(14):
            c.fill(rect(-20, -8 - i * 15, 70, 2.5), "#6b4a2c", alpha=0.5, inside=trunk)
        for a in (-168, -140, -105, -70, -38, -10, 18, 162):
            tip = (34 + 132 * cos(radians(a)), -212 + 100 * sin(radians(a)) + 46)
            mid = (34 + 76 * cos(radians(a)), -236 + 78 * sin(radians(a)))
            low = (mid[0], mid[1] + 22)
            c.fill(smooth([(34, -214), mid, tip, low]), light(leaf, 0.15), dark(leaf, 0.2))
        for dx in (-8, 8, 0):
            c.fill(oval(34 + dx, -204 + abs(dx), 9), "#8d5f37", "#5a3a20")
        return
    c.fill(smooth([(-20, 2), (-12, -60), (-16, -130), (16, -130), (12, -60), (22, 2)]), "#8d6546", "#5a3d2a")
    c.stroke([(0, -96), (-44, -150)], 9, "#6b4a33")
    c.stroke([(0, -104), (46, -156)], 9, "#6b4a33")
    for layer, (spread, lift, shade) in enumerate([(94, -160, 0.22), (82, -184, 0.05), (62, -206, -0.15)]):
        for _ in range(24):
            a, d = c.random.uniform(0, 6.283), c.random.uniform(0.1, 1) ** 0.5
            x, y = spread * d * cos(a), lift + spread * 0.62 * d * sin(a)
            tone = dark(leaf, shade) if shade > 0 else light(leaf, -shade)
            tone = mix(tone, light(tone, 0.2), c.random.random())
            c.fill(oval(x, y, 25, 22), light(tone, 0.12), dark(tone, 0.12))


def ridge(c, base, height, colour, snow=None, jag=9, peaks=((0.5, 1.0),)):
    """A mountain chain across the picture; `peaks` are places (0 to 1) and heights (0 to 1)."""
    xs = range(-20, W + 40, 10)
    tops = []
    for x in xs:
        lift = max(h * max(0.0, 1 - abs(x / W - p) * 2.1) ** 1.15 for p, h in peaks)
        tops.append((x, base - height * lift - c.random.uniform(0, jag)))
    outline = tops + [(W + 40, base + 60), (-20, base + 60)]
    c.fill(outline, light(colour, 0.22), colour)
    for i in range(1, len(tops) - 1, 2):
        x, y = tops[i]
        c.fill([(x, y), (x + 26, y + height * 0.36), (x + 4, y + height * 0.42)], dark(colour, 0.35), alpha=0.35,
               inside=outline)
    if snow:
        for p, h in peaks:
            px, top = p * W, base - height * h - 8
            cap = [(px - 150, top + 110 * h), (px, top - 24), (px + 150, top + 110 * h)]
            low = [(px + 150 - i * 25, top + (78 + (26 if i % 2 else -10)) * h) for i in range(13)]
            c.fill(cap + low, "#ffffff", snow, inside=outline)
            c.fill([(px, top - 20), (px + 120, top + 100), (px + 26, top + 84)], mix(snow, colour, 0.3), alpha=0.6,
                   inside=outline)


def fruit(c, kind, colour=None):
    c.shadow(8, 0, 58, 10, alpha=0.4)
    if kind == "apple":
        colour = colour or "#d3372f"
        body = smooth([(0, -84), (-34, -94), (-58, -66), (-50, -26), (-24, 2), (0, -3), (24, 2), (50, -26), (58, -66),
                       (34, -94)])
        c.fill(body, light(colour, 0.12), dark(colour, 0.35))
        c.fill(oval(-24, -66, 15, 21), "#ffffff", blur=8, alpha=0.6, inside=body)
        c.fill(oval(0, -84, 17, 7), dark(colour, 0.5), blur=3, alpha=0.6)
        c.stroke(smooth([(0, -82), (3, -100), (12, -112)], closed=False), 5, "#6b4527")
        c.fill(smooth([(8, -102), (30, -120), (58, -112), (34, -98)]), "#8cc152", "#4f8a2c")
    elif kind == "orange":
        body = oval(0, -48, 52, 50)
        c.fill(body, "#ffb24a", "#d96a14")
        c.fill(oval(-18, -66, 17, 14), "#fff1d2", blur=8, alpha=0.7, inside=body)
        for _ in range(70):
            c.fill(oval(c.random.uniform(-48, 48), c.random.uniform(-94, -4), 1.2), "#b9560e", alpha=0.45, inside=body)
        c.fill(oval(4, -92, 6, 4), "#5b7d2b")
    elif kind == "lemon":
        body = smooth([(-66, -38), (-50, -62), (0, -78), (48, -62), (66, -40), (48, -14), (0, 0), (-50, -14)])
        c.fill(body, "#ffe96b", "#dfae18")
        c.fill(oval(-16, -56, 26, 10), "#ffffff", blur=7, alpha=0.7, inside=body)
    elif kind == "banana":
        for i in range(3):
            x, y = i * 16 - 16, -i * 14
            outer = smooth([(-108 + x, -62 + y), (-70 + x, -20 + y), (0 + x, 0 + y), (72 + x, -22 + y), (106 + x, -78 + y),
                            (94 + x, -82 + y), (58 + x, -50 + y), (0 + x, -36 + y), (-60 + x, -46 + y),
                            (-98 + x, -70 + y)])
            c.fill(outer, "#ffe372", "#d9a520")
            c.stroke(smooth([(-96 + x, -54 + y), (-4 + x, -16 + y), (96 + x, -62 + y)], closed=False), 2, "#b98a1a",
                     alpha=0.7)
            c.fill(oval(100 + x, -84 + y, 8, 7), "#6d5324")
    elif kind == "pear":
        colour = colour or "#b9c94a"
        body = smooth([(0, -128), (-20, -116), (-28, -84), (-52, -44), (-36, -4), (0, 2), (36, -4), (52, -44),
                       (28, -84), (20, -116)])
        c.fill(body, light(colour, 0.25), dark(colour, 0.3))
        c.fill(oval(-20, -50, 14, 24), "#ffffff", blur=9, alpha=0.55, inside=body)
        c.stroke(smooth([(0, -124), (4, -142), (12, -150)], closed=False), 5, "#6b4527")
    else:
        colour = colour or "#6b3fa0"
        for row in range(6):
            for i in range(6 - row):
                x = (i - (5 - row) / 2) * 27 + c.random.uniform(-2, 2)
                y = -132 + row * 23
                c.fill(oval(x, y, 16), light(colour, 0.25), dark(colour, 0.35))
                c.fill(oval(x - 5, y - 6, 4.5), "#ffffff", blur=1.5, alpha=0.75)
        c.stroke(smooth([(0, -146), (6, -168), (24, -178)], closed=False), 6, "#6b4527")


def steam(c, x, y):
    for dx, lean in ((-34, 9), (0, 9), (34, 9)):
        c.stroke(smooth([(x + dx, y), (x + dx + lean, y - 22), (x + dx - lean, y - 50), (x + dx + lean, y - 78)],
                        closed=False), 9, "#ffffff", blur=5, alpha=0.6)


def cup(c, colour, kind="mug", drink="#5a3522", band=None):
    c.shadow(14, 0, 124, 17, alpha=0.35)
    if kind == "mug":
        w, h, foot = 82, 168, 76
    else:
        c.fill(oval(0, -8, 156, 27), dark(colour, 0.25), dark(colour, 0.1))
        c.fill(oval(0, -13, 156, 26), light(colour, 0.45), colour)
        c.fill(oval(0, -11, 96, 15), dark(colour, 0.2), light(colour, 0.2))
        w, h, foot = (112, 118, 52) if kind == "teacup" else (74, 92, 46)
    top = -h
    ring = [(w - 8, top + h * 0.22), (w + 52, top + h * 0.2), (w + 50, top + h * 0.62), (w - 16, top + h * 0.66)]
    c.stroke(smooth(ring, closed=False), 17, dark(colour, 0.18))
    c.stroke(smooth(ring, closed=False), 9, light(colour, 0.15))
    body = [(-w, top), (w, top)] + smooth([(w, top), (w * 0.97 if kind == "mug" else w * 0.86, top + h * 0.55),
                                           (foot, -12), (foot * 0.7, -2)], closed=False) + smooth(
        [(-foot * 0.7, -2), (-foot, -12), (-w * 0.97 if kind == "mug" else -w * 0.86, top + h * 0.55), (-w, top)],
        closed=False)
    c.fill(body, light(colour, 0.3), dark(colour, 0.28), across=True)
    c.fill(rect(-w * 0.62, top, w * 0.26, h), "#ffffff", blur=9, alpha=0.5, inside=body)
    if band:
        c.fill(rect(-w - 4, top + h * 0.34, 2 * w + 8, h * 0.12), band, inside=body)
        c.fill(rect(-w - 4, top + h * 0.5, 2 * w + 8, h * 0.04), band, inside=body)
    c.fill(oval(0, top, w, w * 0.22), light(colour, 0.5), light(colour, 0.15))
    c.fill(oval(0, top + 3, w * 0.9, w * 0.18), drink, light(drink, 0.25))
    steam(c, 0, top - 12)


def face(c, fur, eye, muzzle):
    """A cat's head, its middle at (0, 0)."""
    for side in (-1, 1):
        c.fill(smooth([(side * 62, -20), (side * 66, -84), (side * 18, -54)], steps=6), dark(fur, 0.1), fur)
        c.fill(smooth([(side * 55, -30), (side * 58, -68), (side * 28, -48)], steps=6), "#e9a9a6")
    head = smooth([(0, -60), (-46, -50), (-72, -8), (-54, 36), (0, 52), (54, 36), (72, -8), (46, -50)])
    c.fill(head, light(fur, 0.18), dark(fur, 0.1))
    c.fill(smooth([(0, 2), (-34, 20), (-24, 44), (0, 50), (24, 44), (34, 20)]), muzzle, alpha=0.9)
    return head


def features(c, eye, asleep=False):
    for side in (-1, 1):
        if asleep:
            c.stroke(smooth([(side * 42, -4), (side * 28, 4), (side * 14, -2)], closed=False), 4, "#3a2a22")
        else:
            c.fill(oval(side * 29, -6, 15, 14), "#fdfdf4")
            c.fill(oval(side * 29, -6, 13, 13), light(eye, 0.2), eye)
            c.fill(oval(side * 29, -6, 4.5, 11), "#15171a")
            c.fill(oval(side * 29 - 4, -11, 3.2), "#ffffff")
        for dy in (-6, 2, 10):
            c.stroke([(side * 26, 24 + dy * 0.4), (side * 92, 14 + dy * 1.6)], 1.3, "#ffffff", alpha=0.85)
    c.fill(smooth([(-9, 13), (9, 13), (0, 23)], steps=6), "#d98a86")
    c.stroke(smooth([(-16, 30), (-6, 33), (0, 24), (6, 33), (16, 30)], closed=False), 2.4, "#5b3f38")


def stripes(c, fur, head):
    for x, lean in ((-16, -4), (0, 0), (16, 4)):
        c.stroke([(x, -58), (x + lean, -34)], 7, dark(fur, 0.4), inside=head)
    for side in (-1, 1):
        for y in (6, 20):
            c.stroke([(side * 74, y), (side * 48, y + 3)], 6, dark(fur, 0.4), inside=head)


def cat(c, fur, pose="sitting", eye="#7fae3b", tabby=False, muzzle="#fbf3ea"):
    if pose == "sitting":
        c.shadow(0, 0, 118, 15)
        c.stroke(smooth([(60, -18), (120, -14), (140, -60), (112, -104)], closed=False), 25, dark(fur, 0.12))
        body = smooth([(0, -196), (-56, -160), (-84, -66), (-74, -10), (0, -2), (74, -10), (84, -66), (56, -160)])
        c.fill(body, light(fur, 0.12), dark(fur, 0.2))
        c.fill(smooth([(0, -178), (-34, -130), (-24, -60), (0, -40), (24, -60), (34, -130)]), muzzle, alpha=0.85)
        if tabby:
            for side in (-1, 1):
                for y in (-118, -88, -58):
                    c.stroke(smooth([(side * 92, y), (side * 60, y + 6), (side * 42, y - 4)], closed=False), 9,
                             dark(fur, 0.4), inside=body)
        for side in (-1, 1):
            c.fill(smooth([(side * 12, -110), (side * 40, -108), (side * 42, -14), (side * 34, 2), (side * 12, 2)]),
                   light(fur, 0.15), dark(fur, 0.05))
            c.fill(oval(side * 26, -4, 22, 11), light(muzzle, 0.1), dark(muzzle, 0.1))
        place = (0, -214, 1.1, 0)
    elif pose == "lying":
        c.shadow(10, 0, 200, 14)
        c.stroke(smooth([(150, -30), (216, -20), (230, -70), (196, -104)], closed=False), 24, dark(fur, 0.12))
        body = smooth([(-150, -50), (-110, -112), (20, -124), (130, -104), (182, -50), (160, -6), (0, 0), (-130, -4)])
        c.fill(body, light(fur, 0.15), dark(fur, 0.22))
        if tabby:
            for x in (-20, 20, 60, 100, 136):
                c.stroke(smooth([(x, -130), (x + 10, -96), (x + 2, -66)], closed=False), 10, dark(fur, 0.4), inside=body)
        c.fill(smooth([(-180, -12), (-150, -34), (-60, -30), (-50, -6), (-100, 2), (-176, 2)]), light(fur, 0.2), fur)
        c.fill(oval(-166, -8, 24, 11), light(muzzle, 0.1), dark(muzzle, 0.08))
        place = (-112, -118, 1.0, -4)
    else:
        c.shadow(0, 2, 176, 18)
        body = smooth([(-160, -56), (-120, -112), (0, -134), (120, -112), (164, -56), (120, -10), (0, 6), (-120, -10)])
        c.fill(body, light(fur, 0.16), dark(fur, 0.24))
        if tabby:
            for x in (-10, 30, 70, 108):
                c.stroke(smooth([(x, -140), (x + 16, -104), (x + 12, -70)], closed=False), 10, dark(fur, 0.4),
                         inside=body)
        c.stroke(smooth([(150, -40), (110, -4), (10, 4), (-80, -8), (-112, -26)], closed=False), 27, dark(fur, 0.1))
        c.fill(oval(-106, -24, 17, 13), muzzle)
        place = (-66, -58, 0.92, -10)
    x, y, size, turn = place
    with c.at(x, y, size, turn):
        head = face(c, fur, eye, muzzle)
        if tabby:
            stripes(c, fur, head)
        features(c, eye, asleep=pose == "asleep")


def flower(c, kind, colour, stem=170, lean=0):
    """Grows from (0, 0)."""
    top = (lean, -stem)
    c.stroke(smooth([(0, 0), (lean * 0.2, -stem * 0.5), top], closed=False), 7, "#5d9440", "#3f6f2c")
    for side in (-1, 1):
        c.fill(smooth([(lean * 0.1, -stem * 0.15), (side * 38, -stem * 0.42), (side * 46, -stem * 0.7),
                       (side * 12, -stem * 0.34)]), "#7fb457", "#44762f")
    with c.at(*top):
        if kind == "tulip":
            for side in (-1, 1):
                c.fill(smooth([(0, 22), (side * 40, 8), (side * 44, -34), (side * 30, -62), (side * 8, -24)]),
                       light(colour, 0.15), dark(colour, 0.2))
            c.fill(smooth([(0, 24), (-24, 4), (-22, -36), (0, -66), (22, -36), (24, 4)]), light(colour, 0.3), colour)
            c.stroke(smooth([(0, 14), (-2, -20), (0, -52)], closed=False), 2, dark(colour, 0.2), alpha=0.5)
            return
        if kind == "daisy":
            n, long, wide, heart, eye = 16, 46, 9, 19, "#f3b62a"
        elif kind == "sunflower":
            n, long, wide, heart, eye = 22, 66, 12, 36, "#5a3620"
        else:
            n, long, wide, heart, eye = 5, 42, 30, 12, "#2d2320"
        for ring in range(2 if kind == "sunflower" else 1):
            for i in range(n):
                with c.at(0, 0, 1 - ring * 0.12, (i + ring * 0.5) * 360 / n):
                    c.fill(smooth([(0, -heart * 0.5), (-wide, -long * 0.62), (0, -long), (wide, -long * 0.62)]),
                           light(colour, 0.2 - ring * 0.12), dark(colour, 0.12 + ring * 0.06))
        c.fill(oval(0, 0, heart), light(eye, 0.2), dark(eye, 0.25))
        for _ in range(40 if heart > 15 else 14):
            a, d = c.random.uniform(0, 6.283), heart * 0.85 * c.random.random() ** 0.5
            c.fill(oval(d * cos(a), d * sin(a), 1.6), dark(eye, 0.4) if heart < 30 else "#c98b3a", alpha=0.8)


def vase(c, colour, water_line=True):
    c.shadow(14, 0, 76, 12)
    body = smooth([(-34, -150), (-30, -110), (-64, -60), (-50, -6), (0, 0), (50, -6), (64, -60), (30, -110), (34, -150),
                   (0, -146)])
    c.fill(body, light(colour, 0.3), dark(colour, 0.28), across=True)
    c.fill(oval(-28, -62, 10, 34), "#ffffff", blur=6, alpha=0.6, inside=body)
