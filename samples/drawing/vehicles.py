"""Trucks, buses, cars, motorbikes and boats; seen from the side, heading left, the ground at y = 0."""

from math import cos, radians, sin

from .canvas import dark, light, oval, rect, smooth

GLASS = ("#a9c9dc", "#e8f4fa")
LAMP = "#fff1b8"


def wheel(c, x, r, rim="#c9d0d6"):
    y = -r
    c.fill(oval(x, y, r), "#3a3d42", "#1b1d21")
    c.fill(oval(x, y, r * 0.62), light(rim, 0.3), dark(rim, 0.3))
    c.fill(oval(x, y, r * 0.5), dark(rim, 0.12), rim)
    for i in range(6):
        a = radians(i * 60)
        c.fill(oval(x + r * 0.34 * cos(a), y + r * 0.34 * sin(a), r * 0.07), "#4b5158")
    c.fill(oval(x, y, r * 0.18), "#f3f5f6", "#8d959c")


def arch(c, x, r, colour):
    c.fill(oval(x, -r * 0.93, r * 1.2, r * 1.2, 180, 360) + [(x + r * 1.2, -r * 0.6), (x - r * 1.2, -r * 0.6)],
           dark(colour, 0.6))


def pane(c, points):
    c.fill(points, GLASS[0], GLASS[1])
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    left, w, top, bottom = min(xs), max(xs) - min(xs), min(ys), max(ys)
    c.fill([(left + w * 0.55, top), (left + w * 0.75, top), (left + w * 0.45, bottom), (left + w * 0.25, bottom)],
           "#ffffff", alpha=0.4, inside=points)


def truck(c, colour, load="box", load_colour="#eef0f2"):
    c.shadow(0, 2, 178, 11)
    c.fill(rect(-150, -44, 318, 16, 3), "#4a4f57", "#2b2f35")
    if load == "box":
        box = rect(-62, -172, 230, 130, 5)
        c.fill(box, light(load_colour, 0.4), dark(load_colour, 0.08))
        for x in range(-40, 168, 26):
            c.fill(rect(x, -166, 2, 118), dark(load_colour, 0.2), alpha=0.5)
        c.fill(rect(-62, -118, 230, 22), colour, dark(colour, 0.1))
    elif load == "tank":
        tank = rect(-60, -148, 226, 98, 46)
        c.fill(tank, light(load_colour, 0.5), dark(load_colour, 0.35))
        c.fill(rect(-40, -136, 186, 14, 7), "#ffffff", blur=4, alpha=0.7, inside=tank)
        for x in (-10, 50, 110):
            c.fill(rect(x, -148, 4, 98), dark(load_colour, 0.4), alpha=0.4)
        c.fill(rect(30, -158, 40, 12, 4), dark(load_colour, 0.2))
    elif load == "dump":
        c.fill([(-66, -136), (176, -136), (156, -48), (-50, -48)], light(load_colour, 0.1), dark(load_colour, 0.25))
        for x in range(-40, 160, 40):
            c.fill([(x, -130), (x + 8, -130), (x + 6, -52), (x, -52)], dark(load_colour, 0.3), alpha=0.5)
        heap = smooth([(-56, -132), (-10, -158), (50, -174), (112, -160), (168, -132), (50, -124)])
        c.fill(heap, "#b28b5e", "#7d5c39")
        c.fill(rect(-70, -142, 250, 10, 3), light(load_colour, 0.3), load_colour)
    else:
        for x in (-50, 30, 110, 160):
            c.fill(rect(x, -140, 7, 98, 2), "#5a6068")
        for row, n in enumerate((4, 3, 2)):
            for i in range(n):
                y = -62 - row * 30
                c.fill(rect(-58, y - 16, 222, 30, 12), "#b98656", "#6f4a2b")
            c.fill(oval(164, -62 - row * 30, 13, 15), "#e5c08d", "#c2935c")
            c.stroke(oval(164, -62 - row * 30, 7, 8), 1.4, "#9c6f3f")
    cab = smooth([(-172, -40), (-173, -84), (-160, -104), (-146, -146), (-132, -152), (-74, -152), (-68, -146),
                  (-67, -40)], steps=8)
    c.fill(cab, light(colour, 0.25), dark(colour, 0.22))
    pane(c, [(-154, -104), (-140, -140), (-122, -140), (-122, -104)])
    pane(c, [(-114, -140), (-84, -140), (-84, -104), (-114, -104)])
    c.fill(rect(-118, -144, 2, 100), dark(colour, 0.4), alpha=0.6)
    c.fill(rect(-110, -94, 16, 4, 2), dark(colour, 0.5))
    c.fill(rect(-180, -54, 22, 14, 3), "#d6dade", "#8f979e")
    c.fill(oval(-168, -70, 6, 8), LAMP)
    c.fill(rect(-66, -176, 6, 70, 3), "#d7dbdf", "#868e95")
    for x in (-122, 76, 136):
        arch(c, x, 29, "#33373d")
        wheel(c, x, 28)


def bus(c, colour, decks=1, bonnet=False, stripe="#ffffff"):
    c.shadow(0, 2, 198, 11)
    height = 150 if decks == 1 else 218
    left = -140 if bonnet else -190
    if bonnet:
        c.fill(smooth([(-186, -26), (-192, -64), (-178, -86), (-130, -92), (-130, -26)], steps=8), light(colour, 0.15),
               dark(colour, 0.2))
        c.fill(oval(-184, -62, 6, 9), LAMP)
    body = rect(left, -height, 190 - left, height - 22, 20)
    c.fill(body, light(colour, 0.22), dark(colour, 0.2))
    c.fill(rect(left + 10, -height + 2, 170 - left, 9, 5), "#ffffff", blur=2, alpha=0.5, inside=body)
    c.fill(rect(left, -58, 190 - left, 8), stripe, inside=body)
    rows = [-height + 22] if decks == 1 else [-height + 18, -height + 92]
    for y in rows:
        pane(c, rect(left + 8, y, 34, 52, 8))
        x = left + 92 if y == rows[-1] else left + 50
        while x + 46 < 184:
            pane(c, rect(x, y, 42, 44, 7))
            x += 49
    door = rows[-1] - 2
    c.fill(rect(left + 47, door, 38, -30 - door, 5), dark(colour, 0.45))
    pane(c, rect(left + 51, door + 5, 14, -62 - door, 3))
    pane(c, rect(left + 67, door + 5, 14, -62 - door, 3))
    if not bonnet:
        c.fill(oval(left + 8, -42, 5, 8), LAMP)
        c.fill(rect(left + 14, -height + 4, 60, 12, 3), "#20242a")
        c.fill(rect(left + 20, -height + 7, 44, 6, 2), "#ffcf5a")
    c.fill(oval(184, -44, 4, 8), "#e2453c")
    c.fill(rect(left - 4, -32, 194 - left, 8, 4), "#343840")
    for x in (-112 if not bonnet else -142, 118):
        arch(c, x, 29, colour)
        wheel(c, x, 28)


CARS = {
    "saloon": ([(-150, -26), (-153, -50), (-136, -66), (-84, -76), (-50, -110), (-8, -120), (44, -117), (86, -80),
                (134, -72), (152, -56), (150, -26)],
               [(-70, -78), (-42, -106), (-8, -112), (-8, -78)], [(0, -78), (0, -112), (40, -110), (70, -78)]),
    "beetle": ([(-138, -24), (-140, -44), (-120, -62), (-88, -72), (-56, -118), (0, -134), (58, -118), (104, -76),
                (132, -50), (134, -24)],
               [(-70, -78), (-46, -112), (-8, -124), (-8, -78)], [(0, -78), (0, -124), (42, -112), (68, -78)]),
    "sports": ([(-164, -22), (-166, -38), (-134, -54), (-76, -62), (-30, -92), (20, -98), (70, -84), (118, -66),
                (158, -66), (160, -40), (154, -22)],
               [(-54, -64), (-22, -87), (6, -90), (6, -64)], [(14, -64), (14, -90), (48, -84), (74, -66)]),
    "estate": ([(-150, -26), (-153, -52), (-136, -70), (-88, -80), (-58, -118), (-18, -128), (104, -126), (136, -112),
                (148, -70), (150, -26)],
               [(-76, -82), (-50, -114), (-14, -120), (-14, -82)], [(-4, -82), (-4, -120), (52, -119), (52, -82)]),
}


def car(c, colour, kind="saloon"):
    outline, front, back = CARS[kind]
    c.shadow(0, 2, 160, 9)
    body = smooth(outline, steps=10)
    c.fill(body, light(colour, 0.3), dark(colour, 0.25))
    c.fill(smooth([(-146, -56), (0, -70), (146, -62), (146, -54), (0, -60), (-146, -48)]), "#ffffff", blur=4,
           alpha=0.35, inside=body)
    pane(c, front)
    pane(c, back)
    if kind == "estate":
        pane(c, [(60, -82), (60, -119), (102, -117), (126, -82)])
    c.stroke([(front[-1][0] + 4, front[-1][1] + 2), (front[-1][0] + 4, -30)], 1.6, dark(colour, 0.45), alpha=0.7)
    c.fill(rect(front[-1][0] - 30, -64, 16, 4, 2), dark(colour, 0.5))
    c.fill(oval(outline[1][0] + 12, outline[1][1] - 2, 8, 7), LAMP, "#e9d27f")
    c.fill(oval(outline[-1][0] - 4, -52, 5, 8), "#d8372f")
    c.fill(rect(outline[0][0] - 2, -30, outline[-1][0] - outline[0][0] + 4, 8, 4), dark(colour, 0.5))
    for x in (-94, 94):
        arch(c, x, 27, colour)
        wheel(c, x, 26, "#d8dde1")


def spokes(c, x, r, rim):
    c.fill(oval(x, -r, r), "#2c2f34", "#17191c")
    c.fill(oval(x, -r, r * 0.76), "#e9edef", "#cfd6da")
    c.fill(oval(x, -r, r * 0.68), "#f7f9fa", "#dfe5e8")
    for i in range(10):
        a = radians(i * 18)
        c.stroke([(x - r * 0.7 * cos(a), -r - r * 0.7 * sin(a)), (x + r * 0.7 * cos(a), -r + r * 0.7 * sin(a))], 1.4,
                 "#8b949b")
    c.fill(oval(x, -r, r * 0.2), light(rim, 0.2), dark(rim, 0.3))


def motorbike(c, colour, kind="classic"):
    c.shadow(0, 2, 150, 8)
    if kind == "scooter":
        for x in (-94, 84):
            wheel(c, x, 27)
        c.stroke([(-94, -30), (-74, -120), (-58, -142)], 9, dark(colour, 0.3))
        c.fill(smooth([(-66, -128), (-52, -118), (-46, -50), (-20, -36), (14, -40), (26, -74), (90, -84), (116, -62),
                       (112, -36), (66, -34), (40, -24), (-36, -22), (-64, -40)], steps=10), light(colour, 0.25),
               dark(colour, 0.2))
        c.fill(smooth([(-118, -40), (-96, -66), (-72, -58), (-66, -34), (-80, -48)]), light(colour, 0.2), colour)
        c.fill(smooth([(14, -78), (40, -94), (104, -92), (112, -80), (60, -74)]), "#6a3f2a", "#4a2a1b")
        c.stroke([(-62, -138), (-34, -148)], 6, "#30343a")
        c.fill(oval(-72, -128, 11, 12), LAMP, "#e9d27f")
        c.fill(oval(-82, -160, 9, 8), "#c6d6df")
        c.stroke([(-66, -140), (-80, -156)], 2.5, "#555b62")
        return
    for x in (-104, 100):
        spokes(c, x, 44, colour)
    c.stroke([(-104, -44), (-66, -132)], 9, "#b9c0c6", "#6d757c")
    c.stroke([(-60, -104), (10, -44), (100, -44)], 8, "#3b4047")
    c.fill(smooth([(-46, -88), (10, -92), (34, -64), (26, -34), (-30, -34), (-50, -58)]), "#aab2b8", "#565d64")
    for y in (-80, -70, -60):
        c.fill(rect(-36, y, 52, 5, 2), "#858d94")
    c.stroke(smooth([(4, -38), (40, -28), (90, -30), (146, -38)], closed=False), 11, "#e6eaec", "#8a9299")
    tank = smooth([(-66, -112), (-40, -134), (6, -132), (30, -106), (0, -94), (-52, -96)])
    c.fill(tank, light(colour, 0.35), dark(colour, 0.2))
    c.fill(oval(-22, -124, 26, 5), "#ffffff", blur=3, alpha=0.6, inside=tank)
    c.fill(smooth([(24, -110), (60, -112), (112, -116), (126, -104), (70, -92), (30, -94)]), "#3c2c25", "#1f1713")
    c.stroke(smooth([(58, -64), (100, -98), (140, -84)], closed=False), 8, dark(colour, 0.05))
    c.stroke(smooth([(-148, -70), (-112, -96), (-68, -76)], closed=False), 8, dark(colour, 0.05))
    if kind == "sports":
        fairing = smooth([(-112, -116), (-92, -146), (-62, -140), (-34, -96), (-18, -48), (-52, -40), (-84, -76)])
        c.fill(fairing, light(colour, 0.3), dark(colour, 0.25))
        c.fill(smooth([(-96, -142), (-76, -168), (-60, -164), (-62, -140)]), "#d5e7f0", alpha=0.8)
        c.fill(smooth([(96, -112), (146, -132), (140, -108), (112, -100)]), light(colour, 0.2), dark(colour, 0.2))
    c.stroke([(-68, -130), (-62, -146), (-32, -152)], 6, "#30343a")
    c.fill(oval(-86, -124, 13, 14), "#d7dde1", "#838b92")
    c.fill(oval(-90, -124, 8, 11), LAMP)


def boat(c, colour, kind="sail"):
    if kind == "sail":
        c.stroke([(0, -20), (0, -236)], 5, "#a9825a")
        c.fill(smooth([(-8, -222), (-40, -120), (-112, -42), (-8, -38)], steps=10), "#ffffff", "#d9e0e6")
        c.fill(smooth([(8, -228), (34, -130), (84, -46), (8, -40)], steps=10), light(colour, 0.35), colour)
        hull = smooth([(-140, -34), (-110, 2), (-60, 16), (70, 16), (112, 0), (128, -34), (0, -28)], steps=10)
        c.fill(hull, light(colour, 0.1), dark(colour, 0.35))
        c.fill(rect(-134, -26, 256, 6), "#ffffff", inside=hull)
    elif kind == "fishing":
        hull = smooth([(-160, -62), (-140, -14), (-104, 16), (110, 16), (140, -8), (146, -40), (20, -36), (-70, -42)],
                      steps=10)
        c.fill(rect(0, -104, 84, 72, 6), "#ffffff", "#dde2e6")
        c.fill(rect(-8, -114, 100, 14, 5), dark(colour, 0.1))
        for x in (8, 36, 62):
            pane(c, rect(x, -92, 18, 24, 3))
        c.stroke([(-40, -44), (-40, -176)], 5, "#8d6a45")
        c.stroke([(-40, -170), (-120, -84)], 2.5, "#555b62")
        c.stroke([(-40, -170), (60, -112)], 2, "#555b62")
        c.fill([(-40, -176), (-12, -168), (-40, -158)], "#e2453c")
        c.fill(hull, light(colour, 0.15), dark(colour, 0.3))
        c.fill(rect(-160, -16, 306, 8), "#ffffff", inside=hull)
    elif kind == "rowing":
        hull = smooth([(-150, -40), (-120, 2), (-80, 14), (80, 14), (120, 2), (150, -40), (0, -22)], steps=10)
        c.fill(smooth([(-146, -40), (0, -50), (146, -40), (0, -20)]), dark(colour, 0.55))
        for x in (-60, 20):
            c.fill(rect(x, -42, 46, 8, 3), light("#b98656", 0.2), "#b98656")
        c.fill(hull, light(colour, 0.2), dark(colour, 0.3))
        c.stroke(smooth([(-148, -38), (0, -20), (148, -38)], closed=False), 5, "#e6c79b")
        c.stroke([(-10, -44), (-120, 26)], 5, "#c99a63")
        c.fill(oval(-124, 28, 18, 6), "#c99a63")
    else:
        hull = smooth([(-190, -50), (-172, -4), (-140, 16), (150, 16), (176, -6), (184, -46), (0, -42)], steps=10)
        c.fill(rect(-120, -84, 240, 44, 5), "#ffffff", "#dfe4e8")
        c.fill(rect(-90, -120, 180, 40, 5), "#ffffff", "#e6eaed")
        c.fill(rect(-104, -146, 60, 30, 4), "#ffffff", "#e6eaed")
        for x, top in ((-20, -172), (36, -168)):
            c.fill(rect(x, top, 30, 54, 3), light(colour, 0.15), dark(colour, 0.2))
            c.fill(rect(x, top, 30, 12), "#23272d")
        for x in range(-108, 112, 24):
            c.fill(oval(x, -62, 6), "#7fa9c2")
        for x in range(-78, 84, 24):
            pane(c, rect(x, -112, 14, 18, 3))
        c.fill(hull, dark("#2c3e58", 0.0), dark("#2c3e58", 0.4))
        c.fill(rect(-190, -2, 380, 20), colour, inside=hull)
    c.stroke(smooth([(-176, 16), (-120, 12), (-60, 18), (0, 13), (60, 18), (120, 12), (180, 17)], closed=False), 5,
             "#ffffff", alpha=0.7)
    c.fill(oval(0, 26, 170, 10), "#0e2a44", blur=6, alpha=0.3)
