"""Where things stand: skies, hills, streets, water, tables."""

from .canvas import H, W, dark, light, mix, oval, rect, smooth

DAY = ("#6db3e8", "#e4f3fb")
EVENING = ("#5a5f9e", "#f7b98a")
DAWN = ("#8fb7dd", "#fbdcc8")
GREY = ("#9fb0bd", "#e6ebee")
NIGHT = ("#141d3c", "#3d4f86")


def sky(c, colours=DAY, horizon=H, clouds=3, sun=None):
    c.fill(rect(0, 0, W, horizon + 2), colours[0], colours[1])
    if sun:
        x, y, r = sun
        c.fill(oval(x, y, r * 2.6), "#fff3cf", blur=r * 0.8, alpha=0.55)
        c.fill(oval(x, y, r), "#fff7e0")
    for _ in range(clouds):
        x, y = c.random.uniform(40, W - 40), c.random.uniform(30, max(horizon * 0.55, 50))
        size = c.random.uniform(0.6, 1.2)
        with c.at(x, y, size):
            for dx, dy, r in [(-46, 6, 20), (-20, -6, 28), (14, -10, 30), (46, 4, 22), (0, 8, 30)]:
                c.fill(oval(dx, dy, r * 1.3, r * 0.75), light(colours[1], 0.6), blur=5, alpha=0.75)


def hills(c, base, colour, height=60, seed_step=90, soft=0):
    points = [(-40, base)]
    x = -40
    while x < W + 80:
        points.append((x, base - c.random.uniform(0.25, 1.0) * height))
        x += seed_step
    points.append((W + 40, base - height * 0.5))
    outline = smooth(points[1:], closed=False) + [(W + 40, base + 40), (-40, base + 40)]
    c.fill(outline, light(colour, 0.12), colour, blur=soft)


def city(c, base, colour):
    """A skyline, far off."""
    x = -10
    while x < W:
        w, h = c.random.uniform(34, 70), c.random.uniform(50, 170)
        tone = mix(colour, "#ffffff", c.random.uniform(0, 0.22))
        c.fill(rect(x, base - h, w, h + 4), light(tone, 0.2), tone)
        for wy in range(int(base - h + 10), int(base - 10), 15):
            for wx in range(int(x + 6), int(x + w - 8), 11):
                if c.random.random() < 0.7:
                    c.fill(rect(wx, wy, 5, 8), light(tone, 0.35), alpha=0.7)
        x += w + c.random.uniform(-2, 8)


def road(c, top, colour="#6b7078", line="#f1efe6", verge="#8bb56a"):
    c.fill(rect(0, top - 26, W, 60), light(verge, 0.1), verge)
    c.fill(rect(0, top, W, H - top), light(colour, 0.12), dark(colour, 0.18))
    c.fill(rect(0, top, W, 4), light(colour, 0.4))
    y = top + (H - top) * 0.68
    for x in range(-30, W, 110):
        c.fill([(x, y), (x + 62, y), (x + 58, y + 8), (x - 6, y + 8)], line, alpha=0.85)


def meadow(c, top, colour="#7fb45c", flowers=0):
    c.fill(rect(0, top, W, H - top), light(colour, 0.2), dark(colour, 0.15))
    for _ in range(260):
        y = c.random.uniform(top + 4, H)
        x, h = c.random.uniform(0, W), 4 + 14 * (y - top) / (H - top)
        tone = mix(light(colour, 0.25), dark(colour, 0.25), c.random.random())
        c.stroke([(x, y), (x + c.random.uniform(-3, 3), y - h)], 1.4, tone, alpha=0.6)
    for _ in range(flowers):
        y = c.random.uniform(top + 12, H)
        tone = ["#ffffff", "#ffe27a", "#f6a6c1"][c.random.integers(3)]
        c.fill(oval(c.random.uniform(0, W), y, 1.5 + 3 * (y - top) / (H - top)), tone)


def water(c, top, near="#2f78a8", far="#8fc4de", glints=70):
    c.fill(rect(0, top, W, H - top), far, near)
    for _ in range(glints):
        y = c.random.uniform(top + 3, H)
        near_by = (y - top) / (H - top)
        x, w = c.random.uniform(-20, W), 10 + 46 * near_by
        c.stroke(smooth([(x, y), (x + w / 2, y - 1.5 - near_by), (x + w, y)], closed=False), 1 + 1.6 * near_by,
                 light(far, 0.5), alpha=0.35)


def table(c, top, wall=("#efe3d3", "#f8f1e7"), wood="#b98252"):
    """A table before a wall, with light from the left."""
    c.fill(rect(0, 0, W, top + 2), wall[0], wall[1])
    c.fill([(30, 0), (190, 0), (330, top), (110, top)], "#ffffff", blur=26, alpha=0.4)
    c.fill(rect(0, top, W, H - top), light(wood, 0.22), dark(wood, 0.12))
    for _ in range(26):
        y = c.random.uniform(top + 4, H)
        x = c.random.uniform(-60, W)
        c.stroke(smooth([(x, y), (x + 90, y + c.random.uniform(-3, 3)), (x + 230, y)], closed=False), 1.3,
                 dark(wood, 0.3), alpha=0.22)
    c.fill(rect(0, top, W, 5), light(wood, 0.45), alpha=0.7)


def room(c, floor, wall=("#d9e4ea", "#f1f5f6"), boards="#c79a6b", rug=None):
    c.fill(rect(0, 0, W, floor), wall[0], wall[1])
    c.fill(rect(0, floor - 12, W, 12), "#ffffff", "#dfe3e4")
    c.fill(rect(0, floor, W, H - floor), dark(boards, 0.1), light(boards, 0.15))
    for i in range(-6, 14):
        c.stroke([(W / 2 + (i - 4) * 62, floor), (W / 2 + (i - 4) * 150, H)], 1.2, dark(boards, 0.3), alpha=0.35)
    if rug:
        c.fill(oval(W / 2, H - 62, 270, 58), dark(rug, 0.2), rug)
        c.fill(oval(W / 2, H - 62, 240, 48), light(rug, 0.3), light(rug, 0.15))
        c.fill(oval(W / 2, H - 62, 222, 43), rug, light(rug, 0.1))
