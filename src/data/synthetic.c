/* Pictures of made-up classes, drawn from formulas.
 *
 * A class is a *look*: a layout (one object, one inside another, two, three, ...), a body and a
 * mate with shape, texture and colours, and a typical background. All of it is picked from short
 * lists, so that classes share their attributes and only the combination tells them apart. Five
 * classes make a family, whose bodies differ in one or two attributes; its members come in
 * different tasks, so that learning one disturbs what was learnt of another: what continual
 * learning is about.
 *
 * An image is a *scene*: the look under a pose, colour jitter and light of its own, with clutter
 * behind, something in front now and then, and noise. A scene is a stack of layers. A layer is a
 * shape, given by its signed distance in a frame of its own (negative inside; see I. Quilez, "2D
 * distance functions"), so that its edge can be blended over one pixel, and a texture in that
 * frame.
 *
 * Only additions, multiplications, divisions and square roots are used, which IEEE 754 rounds in
 * one way, and nothing else of libm: an image has the same bits on every machine.
 */
#include "lae/data/synthetic.h"

#include "lae/base/random.h"

#include <math.h>
#include <stdbool.h>

#define SIDE LAE_SYNTHETIC_SIDE
#define MAX_LAYERS 7 /* three strays, three objects, one stray in front */

/* Random numbers one after the other. Each number must be drawn in a statement of its own: C leaves
 * the order of evaluation inside an expression open. */
struct dice {
    struct lae_random stream;
    uint64_t next;
};

static uint32_t bits(struct dice *dice)
{
    return lae_random_bits(&dice->stream, dice->next++);
}

static double uniform(struct dice *dice, double low, double high)
{
    return low + (high - low) * lae_random_uniform(&dice->stream, dice->next++);
}

static int below(struct dice *dice, int n)
{
    return (int)lae_random_below(&dice->stream, dice->next++, (uint32_t)n);
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* floor(v), |v| < 2^31; inlined, where libm's is a call on older processors. */
static double floor_of(double v)
{
    double towards_zero = (double)(int32_t)v;
    return towards_zero - (towards_zero > v ? 1.0 : 0.0);
}

/* cos(2 pi t), within 1e-7: Taylor's series of the sine in the quarter turn around its zero. */
static double cosine(double turns)
{
    double t = turns - floor_of(turns + 0.5);
    double u = 0.25 - fabs(t), z = u * u;
    return u * (6.283185307 +
                z * (-41.34170224 +
                     z * (81.60524928 + z * (-76.70585975 + z * (42.05869394 - z * 15.09464258)))));
}

static double sine(double turns)
{
    return cosine(turns - 0.25);
}

/* Direction of (x, y) in turns, -0.5..0.5, within 1e-5 (Abramowitz and Stegun 4.4.47). */
static double direction(double x, double y)
{
    double ax = fabs(x), ay = fabs(y);
    double large = ax > ay ? ax : ay, small = ax > ay ? ay : ax;
    double a = large > 0.0 ? small / large : 0.0, z = a * a;
    double radians =
        a * (0.9998660 + z * (-0.3302995 + z * (0.1801410 + z * (-0.0851330 + z * 0.0208351))));
    double turns = radians * 0.15915494309;
    if (ay > ax) turns = 0.25 - turns;
    if (x < 0.0) turns = 0.5 - turns;
    return y < 0.0 ? -turns : turns;
}

/* ---- Shapes: signed distance at (x, y), about the unit disc in size ---- */

struct shape {
    double (*distance)(const struct shape *shape, double x, double y);
    int corners;
    double depth; /* what it means is the shape's own affair */
};

static double disc(const struct shape *shape, double x, double y)
{
    (void)shape;
    return sqrt(x * x + y * y) - 1.0;
}

static double ring(const struct shape *shape, double x, double y)
{
    return fabs(sqrt(x * x + y * y) - (1.0 - shape->depth)) - shape->depth;
}

/* Regular polygon: depth is the distance of its sides. */
static double polygon(const struct shape *shape, double x, double y)
{
    double turns = direction(x, y) * shape->corners;
    double fold = (turns - floor_of(turns) - 0.5) / shape->corners;
    return sqrt(x * x + y * y) * cosine(fold) - shape->depth;
}

/* Star: depth is the radius of its notches. In the half sector from a tip (1, 0) to a notch, the
 * distance from the line through both. */
static double star(const struct shape *shape, double x, double y)
{
    double turns = direction(x, y) * shape->corners;
    double fold = fabs(turns - floor_of(turns + 0.5)) / shape->corners;
    double r = sqrt(x * x + y * y), half = 0.5 / shape->corners;
    double nx = shape->depth * sine(half), ny = 1.0 - shape->depth * cosine(half);
    return ((r * cosine(fold) - 1.0) * nx + r * sine(fold) * ny) / sqrt(nx * nx + ny * ny);
}

/* Flower: petals of height depth. */
static double flower(const struct shape *shape, double x, double y)
{
    double wave = cosine(direction(x, y) * shape->corners);
    return sqrt(x * x + y * y) - (1.0 - shape->depth) - shape->depth * wave;
}

static double box(double x, double y, double width, double height)
{
    double dx = fabs(x) - width, dy = fabs(y) - height;
    return dx > dy ? dx : dy;
}

static double cross(const struct shape *shape, double x, double y)
{
    double flat = box(x, y, 1.0, shape->depth), upright = box(x, y, shape->depth, 1.0);
    return flat < upright ? flat : upright;
}

/* Bars side by side, as many as corners. */
static double bars(const struct shape *shape, double x, double y)
{
    double pitch = 1.8 / shape->corners;
    double nearest = floor_of(y / pitch + 0.5 * shape->corners);
    nearest = clamp(nearest, 0.0, shape->corners - 1.0);
    double centre = (nearest + 0.5 - 0.5 * shape->corners) * pitch;
    return box(x, y - centre, 0.95, shape->depth * pitch);
}

static double crescent(const struct shape *shape, double x, double y)
{
    double whole = sqrt(x * x + y * y) - 1.0;
    double bx = x - shape->depth, bitten = 0.85 - sqrt(bx * bx + y * y);
    return whole > bitten ? whole : bitten;
}

static double half_disc(const struct shape *shape, double x, double y)
{
    double round = sqrt(x * x + y * y) - 1.0, flat = shape->depth - x;
    return round > flat ? round : flat;
}

/* A bent bar: corner in the middle, both arms going back. */
static double chevron(const struct shape *shape, double x, double y)
{
    double along = (x + fabs(y)) * 0.7071067811865476 - 0.2;
    double band = fabs(along) - shape->depth, end = fabs(y) - 0.85;
    return band > end ? band : end;
}

/* An irregular outline, another for each number of corners. */
static double blob(const struct shape *shape, double x, double y)
{
    double a = direction(x, y), k = 0.37 * shape->corners;
    double outline = 0.72 + shape->depth * (0.5 * cosine(2.0 * a + k) + 0.35 * cosine(3.0 * a - k) +
                                            0.3 * cosine(5.0 * a + 2.3 * k));
    return sqrt(x * x + y * y) - outline;
}

static const struct shape SHAPES[] = {
    {disc, 0, 0.0},     {ring, 0, 0.2},      {polygon, 3, 0.55},  {polygon, 4, 0.72},
    {polygon, 6, 0.87}, {star, 4, 0.38},     {star, 5, 0.42},     {star, 8, 0.6},
    {flower, 3, 0.25},  {flower, 5, 0.2},    {cross, 0, 0.3},     {bars, 2, 0.3},
    {bars, 3, 0.3},     {crescent, 0, 0.55}, {half_disc, 0, 0.0}, {chevron, 0, 0.28},
    {blob, 1, 0.5},     {blob, 4, 0.5},
};
#define SHAPE_COUNT ((int)(sizeof SHAPES / sizeof *SHAPES))

/* ---- Textures: how much of the second colour is at (x, y), 0..1 ---- */

enum texture { PLAIN, STRIPES, CHECKS, DOTS, RINGS, SPOKES, SHADED, MOTTLED, TEXTURES };

struct paint {
    enum texture texture;
    double frequency;    /* periods in a unit of the frame */
    double phase;        /* periods */
    uint32_t salt;       /* of the mottles */
    double colour[2][3]; /* 0..1 */
};

/* 32 bits for each point of the integer grid. A hash salted by random numbers is enough for mottles
 * and noise, and much cheaper than more of those. */
static uint32_t grid_bits(uint32_t salt, int x, int y)
{
    uint32_t h = salt + (uint32_t)x * 0x9e3779b1u + (uint32_t)y * 0x85ebca77u;
    h = (h ^ h >> 15) * 0x2c1b3c6du;
    h = (h ^ h >> 12) * 0x297a2d39u;
    return h ^ h >> 15;
}

static double grid_value(uint32_t salt, int x, int y)
{
    return (double)grid_bits(salt, x, y) * 0x1p-32;
}

/* Smooth noise of one unit's grain, 0..1. */
static double mottle(uint32_t salt, double x, double y)
{
    double x0 = floor_of(x), y0 = floor_of(y), fx = x - x0, fy = y - y0;
    int column = (int)x0, row = (int)y0;
    fx = fx * fx * (3.0 - 2.0 * fx);
    fy = fy * fy * (3.0 - 2.0 * fy);
    double top = grid_value(salt, column, row);
    double low = grid_value(salt, column, row + 1);
    top += fx * (grid_value(salt, column + 1, row) - top);
    low += fx * (grid_value(salt, column + 1, row + 1) - low);
    return top + fy * (low - top);
}

/* A wave as two tones. Where it crosses zero its slope is about 2 pi frequency, which makes the
 * edge between the tones one `pixel` (in units of the frame) wide. */
static double two_tone(double wave, double frequency, double pixel)
{
    return clamp(0.5 + wave / (6.3 * frequency * pixel), 0.0, 1.0);
}

static double texture_at(const struct paint *paint, double x, double y, double pixel)
{
    double f = paint->frequency, u = f * x + paint->phase, v = f * y;
    switch (paint->texture) {
    case STRIPES:
        return two_tone(cosine(u), f, pixel);
    case CHECKS:
        return two_tone(cosine(0.7 * u) * cosine(0.7 * v), f, pixel);
    case DOTS:
        return two_tone(0.5 * (cosine(u) + cosine(v)) - 0.25, f, pixel);
    case RINGS:
        return two_tone(cosine(f * sqrt(x * x + y * y) + paint->phase), f, pixel);
    case SPOKES:
        return two_tone(cosine(direction(x, y) * floor_of(3.0 * f + 0.5) + paint->phase), f, pixel);
    case SHADED:
        return clamp(0.5 + 0.6 * x, 0.0, 1.0);
    case MOTTLED:
        return clamp(2.0 * mottle(paint->salt, 2.0 * u, 2.0 * v) - 0.5, 0.0, 1.0);
    case PLAIN:
    case TEXTURES:
        break;
    }
    return 0.0;
}

/* ---- A class ---- */

enum layout { SINGLE, INSIDE, BESIDE, BEHIND, TWINS, TRIPLETS, LAYOUTS };

#define HUES 8

/* How the second colour comes from the first: turns from its hue, saturation, value. */
static const struct {
    double hue, saturation, value;
} PARTNERS[] = {
    {0.5, 0.8, 0.85}, {0.3, 0.8, 0.85}, {0.0, 0.1, 0.95}, {0.0, 0.5, 0.2}, {0.1, 0.7, 0.9}};
#define PARTNER_COUNT ((int)(sizeof PARTNERS / sizeof *PARTNERS))

struct part {
    int shape; /* in SHAPES */
    enum texture texture;
    double frequency;
    int hue;     /* eighths of a turn */
    int partner; /* in PARTNERS */
};

struct look {
    enum layout layout;
    double angle;  /* of the whole, turns */
    double aspect; /* width over height of the parts */
    struct part body, mate;
    enum texture ground;
    double ground_hue;
};

static struct part draw_part(struct dice *dice)
{
    struct part part;
    part.shape = below(dice, SHAPE_COUNT);
    part.texture = (enum texture)below(dice, TEXTURES);
    part.frequency = 0.9 + 0.55 * below(dice, 3);
    part.hue = below(dice, HUES);
    part.partner = below(dice, PARTNER_COUNT);
    return part;
}

/* Another one of 0..n-1. */
static int other(struct dice *dice, int value, int n)
{
    return (value + 1 + below(dice, n - 1)) % n;
}

/* What a family shares. Task 1 of the stream keeps its numbers apart from the classes' own. */
static struct look draw_family(uint64_t seed, uint32_t family)
{
    struct dice dice = {.stream = lae_random_stream(seed, LAE_RANDOM_CLASS, 1, 0, family)};
    struct look look = {0};
    look.layout = (enum layout)below(&dice, LAYOUTS);
    look.angle = 0.125 * below(&dice, 8);
    look.aspect = 0.8 + 0.2 * below(&dice, 3);
    look.body = draw_part(&dice);
    look.ground = (enum texture)below(&dice, TEXTURES);
    look.ground_hue = uniform(&dice, 0.0, 1.0);
    return look;
}

/* Each hundred classes are twenty families of five, a family's members twenty classes apart. */
static struct look draw_look(uint64_t seed, uint32_t class)
{
    static const struct {
        bool shape, texture, hue;
    } differs[5] = {[1] = {.shape = true},
                    [2] = {.texture = true},
                    [3] = {.hue = true},
                    [4] = {.shape = true, .hue = true}};
    uint32_t member = class / 20 % 5;
    struct look look = draw_family(seed, class / 100 * 20 + class % 20);
    struct part *body = &look.body;
    struct dice dice = {.stream = lae_random_stream(seed, LAE_RANDOM_CLASS, 0, 0, class)};
    if (differs[member].shape) body->shape = other(&dice, body->shape, SHAPE_COUNT);
    if (differs[member].texture)
        body->texture = (enum texture)other(&dice, (int)body->texture, TEXTURES);
    if (differs[member].hue) body->hue = other(&dice, body->hue, HUES);
    look.mate = draw_part(&dice);
    return look;
}

/* ---- A scene ---- */

struct layer {
    struct shape shape;
    double x, y;           /* centre, pixels from the image's middle */
    double ux, uy, vx, vy; /* rows of the matrix from pixels to the shape's frame */
    double radius;         /* pixels in a unit of that frame, about */
    double reach;          /* no pixel farther than this from the centre is covered */
    struct paint paint;
};

struct scene {
    struct paint ground;
    int count;
    struct layer layers[MAX_LAYERS]; /* from the back to the front */
    double gain[3], light_x, light_y, noise;
    uint32_t noise_salt;
};

/* Hue in turns, saturation and value 0..1 to RGB 0..1. */
static void hsv_to_rgb(double hue, double saturation, double value, double rgb[3])
{
    for (int c = 0; c < 3; c++) {
        double h = hue - c / 3.0;
        h -= floor_of(h + 0.5);
        double pure = clamp(2.0 - 6.0 * fabs(h), 0.0, 1.0);
        rgb[c] = value * (1.0 - saturation * (1.0 - pure));
    }
}

static void jittered(struct dice *dice, double hue, double saturation, double value, double rgb[3])
{
    hue += uniform(dice, -0.05, 0.05);
    saturation += uniform(dice, -0.3, 0.15);
    value += uniform(dice, -0.25, 0.15);
    hsv_to_rgb(hue, clamp(saturation, 0.0, 1.0), clamp(value, 0.0, 1.0), rgb);
}

static struct paint part_paint(struct dice *dice, const struct part *part)
{
    struct paint paint = {.texture = part->texture};
    paint.frequency = part->frequency * uniform(dice, 0.85, 1.15);
    paint.phase = uniform(dice, 0.0, 1.0);
    paint.salt = bits(dice);
    double hue = (double)part->hue / HUES;
    jittered(dice, hue, 0.8, 0.85, paint.colour[0]);
    hue += PARTNERS[part->partner].hue;
    jittered(dice, hue, PARTNERS[part->partner].saturation, PARTNERS[part->partner].value,
             paint.colour[1]);
    return paint;
}

/* Puts a shape at (x, y), of the given radius in pixels, turned and stretched. */
static void add_layer(struct scene *scene, struct shape shape, struct paint paint, double x,
                      double y, double radius, double turn, double aspect)
{
    double wide = radius * sqrt(aspect), high = radius / sqrt(aspect);
    double c = cosine(turn), s = sine(turn);
    scene->layers[scene->count++] = (struct layer){
        .shape = shape,
        .x = x,
        .y = y,
        .ux = c / wide,
        .uy = s / wide,
        .vx = -s / high,
        .vy = c / high,
        .radius = radius,
        .reach = 1.42 * (wide > high ? wide : high) + 1.0,
        .paint = paint,
    };
}

static void add_ground(struct dice *dice, const struct look *look, struct scene *scene)
{
    struct paint *ground = &scene->ground;
    bool typical = below(dice, 2) == 0;
    ground->texture = (enum texture)below(dice, TEXTURES);
    double hue = uniform(dice, 0.0, 1.0);
    if (typical) ground->texture = look->ground;
    if (typical) hue = look->ground_hue;
    ground->frequency = uniform(dice, 1.0, 3.0);
    ground->phase = uniform(dice, 0.0, 1.0);
    ground->salt = bits(dice);
    double value = uniform(dice, 0.25, 0.75);
    jittered(dice, hue, 0.35, value, ground->colour[0]);
    jittered(dice, hue, 0.35, value + 0.15, ground->colour[1]);
}

/* A small object that tells nothing about the class. */
static void add_stray(struct dice *dice, struct scene *scene, double distance, double radius)
{
    struct part part = draw_part(dice);
    struct paint paint = part_paint(dice, &part);
    double angle = uniform(dice, 0.0, 1.0);
    double turn = uniform(dice, 0.0, 1.0);
    add_layer(scene, SHAPES[part.shape], paint, distance * cosine(angle), distance * sine(angle),
              radius, turn, 1.0);
}

/* The class's own objects: what each layout puts where, in units of the whole's size. */
static void add_objects(struct dice *dice, const struct look *look, struct scene *scene)
{
    static const struct {
        int count;
        struct {
            bool mate;
            double x, y, radius;
        } item[3];
    } plan[LAYOUTS] = {
        [SINGLE] = {1, {{false, 0.0, 0.0, 0.9}}},
        [INSIDE] = {2, {{false, 0.0, 0.0, 1.0}, {true, 0.0, 0.0, 0.45}}},
        [BESIDE] = {2, {{false, -0.4, 0.0, 0.68}, {true, 0.68, 0.0, 0.45}}},
        [BEHIND] = {2, {{true, 0.35, 0.2, 0.8}, {false, -0.25, -0.1, 0.7}}},
        [TWINS] = {2, {{false, -0.52, 0.0, 0.55}, {false, 0.52, 0.0, 0.55}}},
        [TRIPLETS] =
            {3, {{false, -0.5, -0.3, 0.47}, {true, 0.5, -0.3, 0.47}, {false, 0.0, 0.55, 0.47}}},
    };
    double size = uniform(dice, 8.0, 14.0);
    double x = uniform(dice, -4.0, 4.0);
    double y = uniform(dice, -4.0, 4.0);
    double turn = look->angle + uniform(dice, -0.12, 0.12);
    double aspect = look->aspect * uniform(dice, 0.85, 1.15);
    double c = cosine(turn), s = sine(turn);
    struct paint body = part_paint(dice, &look->body);
    struct paint mate = part_paint(dice, &look->mate);
    for (int i = 0; i < plan[look->layout].count; i++) {
        bool is_mate = plan[look->layout].item[i].mate;
        double dx = size * plan[look->layout].item[i].x, dy = size * plan[look->layout].item[i].y;
        double sway = uniform(dice, -0.04, 0.04);
        add_layer(scene, SHAPES[is_mate ? look->mate.shape : look->body.shape],
                  is_mate ? mate : body, x + c * dx - s * dy, y + s * dx + c * dy,
                  size * plan[look->layout].item[i].radius, turn + sway, aspect);
    }
}

static void draw_scene(struct dice *dice, const struct look *look, struct scene *scene)
{
    scene->count = 0;
    add_ground(dice, look, scene);
    for (int strays = below(dice, 4); strays > 0; strays--) {
        double distance = uniform(dice, 8.0, 18.0);
        double radius = uniform(dice, 2.5, 5.0);
        add_stray(dice, scene, distance, radius);
    }
    add_objects(dice, look, scene);
    if (below(dice, 2) == 0) {
        double distance = uniform(dice, 4.0, 13.0);
        double radius = uniform(dice, 3.0, 5.5);
        add_stray(dice, scene, distance, radius);
    }
    for (int c = 0; c < 3; c++)
        scene->gain[c] = uniform(dice, 0.75, 1.1);
    scene->light_x = uniform(dice, -0.02, 0.02);
    scene->light_y = uniform(dice, -0.02, 0.02);
    scene->noise = uniform(dice, 0.02, 0.12);
    scene->noise_salt = bits(dice);
}

/* ---- Pixels ---- */

struct canvas {
    double colour[SIDE][SIDE][3];
};

static double from_middle(int pixel)
{
    return pixel + 0.5 - 0.5 * SIDE;
}

/* The paint's colour at (x, y) of its frame. */
static void colour_at(const struct paint *paint, double x, double y, double pixel, double colour[3])
{
    double mix = texture_at(paint, x, y, pixel);
    for (int c = 0; c < 3; c++)
        colour[c] = paint->colour[0][c] + mix * (paint->colour[1][c] - paint->colour[0][c]);
}

static void lay_ground(const struct paint *paint, struct canvas *canvas)
{
    const double unit = 2.0 / SIDE;
    for (int row = 0; row < SIDE; row++)
        for (int column = 0; column < SIDE; column++)
            colour_at(paint, unit * from_middle(column), unit * from_middle(row), unit,
                      canvas->colour[row][column]);
}

/* Columns or rows from..to-1 are those within `reach` pixels of `centre`. */
static void range_within(double centre, double reach, int *from, int *to)
{
    *from = (int)clamp(centre - reach + 0.5 * SIDE, 0.0, SIDE);
    *to = (int)clamp(centre + reach + 0.5 * SIDE + 1.0, 0.0, SIDE);
}

static void lay_layer(const struct layer *layer, struct canvas *canvas)
{
    int top, bottom, left, right;
    range_within(layer->y, layer->reach, &top, &bottom);
    range_within(layer->x, layer->reach, &left, &right);
    for (int row = top; row < bottom; row++)
        for (int column = left; column < right; column++) {
            double dx = from_middle(column) - layer->x, dy = from_middle(row) - layer->y;
            double u = layer->ux * dx + layer->uy * dy, v = layer->vx * dx + layer->vy * dy;
            if (u * u + v * v > 2.0) continue; /* beyond every shape's farthest corner */
            double distance = layer->radius * layer->shape.distance(&layer->shape, u, v);
            if (distance >= 0.5) continue;
            double cover = distance > -0.5 ? 0.5 - distance : 1.0;
            double *under = canvas->colour[row][column], colour[3];
            colour_at(&layer->paint, u, v, 1.0 / layer->radius, colour);
            for (int c = 0; c < 3; c++)
                under[c] += cover * (colour[c] - under[c]);
        }
}

/* Light, colour of the light and noise over the canvas, rounded to bytes. The three channels share
 * 32 bits; each takes ten of them for a uniform number in -1..1. */
static void develop(const struct scene *scene, const struct canvas *canvas, uint8_t *rgb)
{
    for (int i = 0; i < SIDE * SIDE; i++) {
        int row = i / SIDE, column = i % SIDE;
        uint32_t grains = grid_bits(scene->noise_salt, column, row);
        double light =
            1.0 + scene->light_x * from_middle(column) + scene->light_y * from_middle(row);
        for (int c = 0; c < 3; c++) {
            double grain = (double)(int)(grains >> (10 * c) & 1023u) * (1.0 / 511.5) - 1.0;
            double v = light * scene->gain[c] * canvas->colour[row][column][c];
            rgb[3 * i + c] =
                (uint8_t)(int)clamp(255.0 * (v + scene->noise * grain) + 0.5, 0.0, 255.0);
        }
    }
}

void lae_synthetic_draw(uint64_t seed, uint32_t class, uint32_t index, uint8_t *rgb)
{
    struct look look = draw_look(seed, class);
    struct dice dice = {
        .stream =
            lae_random_stream(seed, LAE_RANDOM_SYNTHETIC, class & 0xffffu, class >> 16, index),
    };
    struct scene scene;
    draw_scene(&dice, &look, &scene);
    struct canvas canvas;
    lay_ground(&scene.ground, &canvas);
    for (int i = 0; i < scene.count; i++)
        lay_layer(&scene.layers[i], &canvas);
    develop(&scene, &canvas, rgb);
}
