"""Draws samples/photos: forty pictures in twelve groups of likeness. Seeded; made with Pillow 13.0.0 and numpy.

    python samples/draw.py [name ...]      all pictures, or only those whose name contains one of the words
"""

import sys
import zlib
from pathlib import Path

from drawing import places as p
from drawing import things as t
from drawing import vehicles as v
from drawing.canvas import Canvas, H, W, light, oval, rect, smooth

OUT = Path(__file__).parent / "photos"
SCENES = {}


def scene(name):
    def keep(draw):
        SCENES[name] = draw
        return draw
    return keep


def street(c, sky=p.DAY, back="hills", tone="#8fb8a0", top=330, road="#6b7078", sun=None, clouds=3):
    p.sky(c, sky, top, clouds, sun)
    if back == "hills":
        p.hills(c, top - 8, light(tone, 0.3), 110, soft=2)
        p.hills(c, top, tone, 60)
    elif back == "city":
        p.city(c, top - 6, tone)
    p.road(c, top, road, verge=tone if back == "hills" else "#a9adb3")


def vehicle(name, draw, place, **setting):
    def picture(c):
        street(c, **setting)
        with c.at(*place[:3], flip=len(place) > 3):
            draw(c)
    SCENES[name] = picture


vehicle("trucks/red-truck", lambda c: v.truck(c, "#cf3b32"), (326, 416, 1.35))
vehicle("trucks/blue-tank-truck", lambda c: v.truck(c, "#2d6cb5", "tank", "#c9d3da"), (312, 408, 1.3, True),
        back="city", tone="#93a7b8", sky=p.GREY)
vehicle("trucks/yellow-dump-truck", lambda c: v.truck(c, "#eeb422", "dump", "#eeb422"), (330, 420, 1.3),
        tone="#c9ae79", road="#a68d6b", sky=("#7fbbe6", "#f6ead6"))
vehicle("trucks/green-log-truck", lambda c: v.truck(c, "#3f8a52", "logs"), (310, 400, 1.15, True), tone="#4f8058",
        sky=p.EVENING, sun=(500, 150, 34))
vehicle("buses/red-double-decker", lambda c: v.bus(c, "#c8322d", 2, stripe="#f0d9a8"), (324, 414, 1.28), back="city",
        tone="#a3a8b6", sky=p.GREY)
vehicle("buses/yellow-school-bus", lambda c: v.bus(c, "#f0b323", 1, True, stripe="#2a2d32"), (322, 412, 1.32),
        tone="#8fb56a")
vehicle("buses/blue-city-bus", lambda c: v.bus(c, "#3279bd", stripe="#ffffff"), (318, 418, 1.34, True), back="city",
        tone="#8ea6bb")
vehicle("buses/green-night-bus", lambda c: v.bus(c, "#2f8f6d", stripe="#f5e27a"), (326, 410, 1.25), back="city",
        tone="#3c4a78", sky=p.NIGHT, road="#474c5c", clouds=0)
vehicle("cars/red-sports-car", lambda c: v.car(c, "#d12c2c", "sports"), (322, 412, 1.55), tone="#c7b27d",
        sky=p.EVENING, sun=(130, 190, 30))
vehicle("cars/blue-saloon", lambda c: v.car(c, "#3d72b4"), (316, 416, 1.5, True), back="city", tone="#a7b4bf")
vehicle("cars/yellow-beetle", lambda c: v.car(c, "#f2c53d", "beetle"), (320, 418, 1.6), tone="#86b877")
vehicle("cars/green-estate", lambda c: v.car(c, "#4d8f63", "estate"), (326, 410, 1.45, True), tone="#7aa56a",
        sky=p.DAWN)
vehicle("motorbikes/red-sports-bike", lambda c: v.motorbike(c, "#d5322f", "sports"), (320, 424, 1.5), tone="#b9a982")
vehicle("motorbikes/black-classic-bike", lambda c: v.motorbike(c, "#33373d"), (318, 420, 1.45, True), tone="#8fb8a0",
        sky=p.EVENING, sun=(120, 160, 32))
vehicle("motorbikes/mint-scooter", lambda c: v.motorbike(c, "#7cc8b4", "scooter"), (324, 422, 1.7), back="city",
        tone="#d3b79c", sky=("#8cc6ea", "#fdf0dc"))


def afloat(name, draw, place, sky=p.DAY, far="#8fc4de", near="#2f78a8", coast=None, sun=None, top=270):
    def picture(c):
        p.sky(c, sky, top, 3, sun)
        if coast:
            p.hills(c, top - 2, coast, 60, soft=1)
        p.water(c, top, near, far)
        with c.at(*place[:3], flip=len(place) > 3):
            draw(c)
    SCENES[name] = picture


afloat("boats/red-sailing-boat", lambda c: v.boat(c, "#d23b34"), (320, 366, 1.3))
afloat("boats/blue-fishing-boat", lambda c: v.boat(c, "#2f6db0", "fishing"), (326, 376, 1.4), sky=p.DAWN,
       coast="#8aa8a0")
afloat("boats/wooden-rowing-boat", lambda c: v.boat(c, "#a8713f", "rowing"), (316, 378, 1.5, True), coast="#5f9163",
       near="#3d7d78", far="#a9d3c4", top=230)
afloat("boats/steamer-at-dusk", lambda c: v.boat(c, "#c23a30", "steamer"), (322, 360, 1.3), sky=p.EVENING,
       near="#3c4478", far="#e0a58f", sun=(490, 190, 36))


@scene("houses/red-cottage")
def red_cottage(c):
    p.sky(c, p.DAY, 340)
    p.hills(c, 330, "#8fb872", 80, soft=1)
    p.meadow(c, 322, flowers=60)
    c.fill(smooth([(300, 402), (340, 402), (440, 480), (240, 480)], steps=6), "#d9c7a3", "#c3ad84")
    with c.at(320, 402, 1.3):
        t.house(c, "#c9473b", "#5b4a46")
    for x in (118, 520):
        with c.at(x, 412, 1.1):
            t.bush(c, "#5d9a4d")


@scene("houses/white-town-house")
def town_house(c):
    p.sky(c, p.GREY, 350)
    p.hills(c, 350, "#9db79a", 90, soft=2)
    p.meadow(c, 350, "#86b066", 20)
    with c.at(330, 420, 1.3):
        t.house(c, "#efe9dc", "#7a5148", 2, door="#2f5f7f")
    t.fence(c, -10, 176, 446)
    t.fence(c, 486, 660, 446)


@scene("houses/log-cabin-in-snow")
def log_cabin(c):
    p.sky(c, ("#8fa9c9", "#e9f0f7"), 340)
    p.hills(c, 330, "#c9d8e6", 120, soft=1)
    for x, s in ((70, 0.9), (150, 0.7), (560, 1.0)):
        with c.at(x, 372, s):
            t.tree(c, "pine", "#4d7a66")
    c.fill(rect(0, 350, W, H - 350), "#ffffff", "#d3e1ef")
    with c.at(330, 410, 1.22):
        t.house(c, "#9a6a42", "#6b4a38", glass=t.LIT, logs=True, snow=True)
    for _ in range(160):
        c.fill(oval(c.random.uniform(0, W), c.random.uniform(0, H), c.random.uniform(1, 2.6)), "#ffffff", alpha=0.85)


@scene("houses/night-house")
def night_house(c):
    p.sky(c, p.NIGHT, 350, 0)
    for _ in range(90):
        c.fill(oval(c.random.uniform(0, W), c.random.uniform(0, 300), c.random.uniform(0.6, 1.6)), "#ffffff", alpha=0.8)
    c.fill(oval(120, 90, 34), "#fbf3d0")
    c.fill(oval(134, 82, 31), "#22305c")
    p.hills(c, 350, "#2a3a5c", 80)
    p.meadow(c, 350, "#31533f")
    with c.at(340, 416, 1.28):
        t.house(c, "#5d6a8f", "#2e3550", 2, glass=t.LIT, door="#8a4a3a")
    c.fill(oval(340, 440, 170, 26), "#ffd27a", blur=16, alpha=0.25)


def peaks(name, sky, tones, snow, heights, sun=None, lake=None, ground=None):
    def picture(c):
        p.sky(c, sky, 330, 3, sun)
        for (base, height, chain), tone in zip(heights, tones):
            t.ridge(c, base, height, tone, snow if height > 150 else None, peaks=chain)
        if lake:
            p.water(c, 356, lake[0], lake[1])
        else:
            p.meadow(c, 350, ground, 50)
        for _ in range(9):
            with c.at(c.random.uniform(0, W), c.random.uniform(352, 366), c.random.uniform(0.14, 0.26)):
                t.tree(c, "pine", "#3e6a4a")
    SCENES[name] = picture


peaks("mountains/snowy-peak", p.DAY, ["#8ea3bd", "#6d8a80"], "#e3edf7",
      [(350, 262, ((0.48, 1.0), (0.86, 0.62), (0.1, 0.55))), (366, 90, ((0.2, 0.9), (0.75, 1.0)))], ground="#7fb05e")
peaks("mountains/mountain-lake", p.DAWN, ["#8a8fb5", "#5f7d7c"], "#f6e3dc",
      [(350, 230, ((0.3, 1.0), (0.7, 0.8))), (362, 80, ((0.05, 1.0), (0.95, 1.0)))], lake=("#41729a", "#c9d5e2"))
peaks("mountains/evening-range", p.EVENING, ["#8f7ba6", "#5f5a86", "#3f4468"], None,
      [(340, 150, ((0.25, 1.0), (0.62, 0.85), (0.95, 0.9))), (356, 120, ((0.1, 0.8), (0.5, 1.0))),
       (376, 80, ((0.8, 1.0), (0.3, 0.7)))], sun=(330, 190, 36), ground="#4c5f52")


def grove(name, kind, leaf, place, sky=p.DAY, ground="#7fb45c", more=(), flowers=0, sand=False):
    def picture(c):
        p.sky(c, sky, 350)
        if sand:
            p.water(c, 300, "#3f9db0", "#a9e0dc", 30)
            c.fill(smooth([(-60, 372), (160, 346), (420, 356), (700, 340), (700, 560), (-60, 560)]), "#f2dfb0", "#d9bd83")
        else:
            p.hills(c, 348, light(ground, 0.2), 70, soft=1)
            p.meadow(c, 345, ground, flowers)
        for x, y, s in more:
            with c.at(x, y, s):
                t.tree(c, kind, leaf)
        with c.at(*place):
            t.tree(c, kind, leaf)
    SCENES[name] = picture


grove("trees/green-oak", "oak", "#5f9c45", (320, 420, 1.42), flowers=50)
grove("trees/autumn-tree", "oak", "#d9822b", (330, 424, 1.4), ("#a9c4d9", "#f7ead8"), "#b3a85c")
grove("trees/pines", "pine", "#3f7a55", (330, 430, 1.14), p.GREY, "#7ba06b", ((90, 396, 0.8), (560, 400, 0.9)))
grove("trees/palm-on-the-beach", "palm", "#4f9a55", (290, 440, 1.32), sand=True)


def still(name, draw, wall=("#efe3d3", "#f8f1e7"), wood="#b98252", top=290):
    def picture(c):
        p.table(c, top, wall, wood)
        draw(c)
    SCENES[name] = picture


def apples(c):
    for x, y, s, tone in ((214, 392, 1.3, "#d3372f"), (440, 386, 1.25, "#8fb63a"), (328, 424, 1.45, "#c92f3a")):
        with c.at(x, y, s):
            t.fruit(c, "apple", tone)


def oranges(c):
    for kind, x, y, s in (("orange", 210, 386, 1.35), ("lemon", 452, 420, 1.15), ("orange", 400, 376, 1.25),
                          ("orange", 300, 430, 1.5)):
        with c.at(x, y, s):
            t.fruit(c, kind)


def bananas(c):
    with c.at(326, 424, 2.0):
        t.fruit(c, "banana")


def pears(c):
    for kind, x, y, s in (("grapes", 420, 420, 1.25), ("pear", 190, 402, 1.35), ("pear", 284, 424, 1.5)):
        with c.at(x, y, s):
            t.fruit(c, kind)


still("fruit/apples", apples)
still("fruit/oranges-and-lemon", oranges, ("#d5e3e6", "#eff5f5"), "#a87447")
still("fruit/bananas", bananas, ("#dfe7d8", "#f3f6ee"), "#c2966a")
still("fruit/pears-and-grapes", pears, ("#e6dcea", "#f6f1f7"), "#946441")


def one_cup(*place, **look):
    def draw(c):
        with c.at(*place):
            t.cup(c, **look)
    return draw


still("cups/blue-mug", one_cup(310, 424, 1.5, colour="#3f78b5", band="#ffffff"))
still("cups/white-teacup", one_cup(316, 410, 1.45, colour="#f3efe8", kind="teacup", drink="#a65a22", band="#c98a9a"),
      ("#d9e3da", "#f1f5f0"), "#8f6442")
still("cups/red-espresso-cup", one_cup(312, 420, 1.75, colour="#c43d35", kind="espresso", drink="#3a2116"),
      ("#e9e1d6", "#f7f3ec"), "#6f5140")


def pet(name, fur, pose, place, wall, rug, **look):
    def picture(c):
        p.room(c, 330, wall, rug=rug)
        with c.at(*place[:3], flip=len(place) > 3):
            t.cat(c, fur, pose, **look)
    SCENES[name] = picture


pet("cats/orange-tabby-cat", "#e0913f", "sitting", (320, 432, 1.25), ("#cfe0e6", "#eef5f6"), "#8aa7c2", tabby=True)
pet("cats/black-cat", "#3a3d45", "sitting", (330, 434, 1.22, True), ("#ead9cf", "#f8efe9"), "#b5654f",
    eye="#d9b132", muzzle="#4d515a")
pet("cats/grey-cat-lying", "#8f99a5", "lying", (288, 428, 1.22), ("#e3e6d3", "#f4f5ea"), "#7f9a72", eye="#4f94b8",
    tabby=True, muzzle="#f2f4f5")
pet("cats/ginger-cat-asleep", "#d98b4a", "asleep", (322, 430, 1.4), ("#dcd6e8", "#f2eff7"), "#9a86b8", tabby=True)


def bunch(name, kind, colours, in_vase=None, wall=("#e6ecf0", "#f7f9fa"), size=1.0):
    def picture(c):
        if in_vase:
            p.table(c, 330, wall)
            stems = [(-66, -128, 148), (66, -128, 150), (-34, -132, 196), (36, -132, 200), (0, -134, 168)]
            with c.at(320, 440, size):
                for i, (lean, y, stem) in enumerate(stems):
                    with c.at(lean * 0.15, y, 1, lean * 0.16):
                        t.flower(c, kind, colours[i % len(colours)], stem, lean * 0.7)
                t.vase(c, in_vase)
            return
        p.sky(c, p.DAY, 300)
        p.hills(c, 296, "#9cc487", 60, soft=2)
        p.meadow(c, 290, "#6fa850")
        for i, (x, y, s) in enumerate([(90, 372, 0.7), (560, 376, 0.72), (196, 404, 0.9), (466, 408, 0.95),
                                       (330, 384, 0.85), (110, 470, 1.2), (540, 474, 1.25), (322, 482, 1.5)]):
            with c.at(x, y, s * size):
                t.flower(c, kind, colours[i % len(colours)], 150, c.random.uniform(-16, 16))
    SCENES[name] = picture


bunch("flowers/red-tulips", "tulip", ["#d63447", "#e8505b", "#c22a3f"], in_vase="#7fa8bd")
bunch("flowers/daisies", "daisy", ["#ffffff"], size=0.95)
bunch("flowers/sunflowers", "sunflower", ["#f6c22d", "#f2b21c"], size=0.95)
bunch("flowers/poppies", "poppy", ["#e0402f", "#d63325", "#ec5a3c"])


def main(words):
    for name, draw in SCENES.items():
        if words and not any(word in name for word in words):
            continue
        canvas = Canvas(zlib.crc32(name.encode()))
        draw(canvas)
        path = OUT / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.finish().save(path, quality=85, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
