package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"strings"
)

// Size of a painted picture in pixels.
const (
	Width  = 480
	Height = 320
)

// Paint makes a PNG of a landscape out of a prompt: a sky, a sun or moon, and hills that grow paler with distance. Equal
// prompts give equal bytes. Words for colours and times of day are heeded; everything else only stirs the paint.
func Paint(prompt string) ([]byte, error) {
	digest := sha256.Sum256([]byte(prompt))
	dice := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(digest[:8]), binary.LittleEndian.Uint64(digest[8:16])))
	scene := compose(strings.ToLower(prompt), dice)

	canvas := image.NewRGBA(image.Rect(0, 0, Width, Height))
	for x := range Width {
		lines := scene.outline(float64(x) + 0.5)
		for y := range Height {
			canvas.SetRGBA(x, y, scene.at(float64(x)+0.5, float64(y)+0.5, &lines).rgba())
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, canvas); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// hues are the words for a colour that a prompt may hold, in degrees around the colour wheel.
var hues = []struct {
	word string
	hue  float64
}{
	{"red", 8}, {"fox", 22}, {"orange", 28}, {"desert", 38}, {"gold", 45}, {"yellow", 52}, {"green", 125}, {"forest", 140},
	{"teal", 178}, {"sea", 200}, {"blue", 218}, {"violet", 268}, {"purple", 282}, {"pink", 332},
}

// scene is one landscape, ready to be asked for the colour of any point.
type scene struct {
	top, bottom  colour // of the sky
	disc         colour
	discX, discY float64
	radius       float64
	hills        [ranges]hill
	stars        map[image.Point]float64
}

// ranges is how many ranges of hills stand behind each other.
const ranges = 5

// hill is the outline of one range: a sum of three waves, and the colour below it.
type hill struct {
	base  float64
	waves [3]struct{ height, length, shift float64 }
	paint colour
}

func compose(prompt string, dice *rand.Rand) *scene {
	hue := dice.Float64() * 360
	for _, h := range hues {
		if strings.Contains(prompt, h.word) {
			hue = h.hue
			break
		}
	}
	night := strings.Contains(prompt, "night") || strings.Contains(prompt, "moon") || strings.Contains(prompt, "star")
	s := &scene{
		discX:  Width * (0.2 + 0.6*dice.Float64()),
		discY:  Height * (0.18 + 0.22*dice.Float64()),
		radius: 24 + 16*dice.Float64(),
	}
	near, far := hsl(hue, 0.42, 0.20), hsl(hue+18, 0.46, 0.72)
	if night {
		// Whatever colour was asked for, a night is blue; the hills keep a tint of it.
		s.top, s.bottom, s.disc = hsl(232, 0.52, 0.10), hsl(222, 0.42, 0.34), hsl(48, 0.45, 0.90)
		near, far = hsl(hue, 0.35, 0.07), hsl(228, 0.30, 0.32)
		s.stars = make(map[image.Point]float64)
		for range 140 {
			s.stars[image.Pt(dice.IntN(Width), dice.IntN(Height*2/3))] = 0.3 + 0.6*dice.Float64()
		}
	} else {
		s.top, s.bottom, s.disc = hsl(hue+165, 0.52, 0.66), hsl(hue+25, 0.85, 0.88), hsl(hue+30, 0.95, 0.95)
	}
	for i := range s.hills {
		depth := float64(i) / (ranges - 1) // 0 is farthest
		h := hill{base: Height * (0.50 + 0.40*depth), paint: far.mix(near, math.Pow(depth, 0.8))}
		for w := range h.waves {
			h.waves[w].height = (7 + 16*dice.Float64()) / float64(w+1)
			h.waves[w].length = (70 + 130*dice.Float64()) / float64(w+1)
			h.waves[w].shift = dice.Float64() * 2 * math.Pi
		}
		s.hills[i] = h
	}
	return s
}

// outline is how far down each range of hills begins in the column x.
func (s *scene) outline(x float64) (lines [ranges]float64) {
	for i, h := range s.hills {
		lines[i] = h.base
		for _, w := range h.waves {
			lines[i] += w.height * math.Sin(x/w.length*math.Pi+w.shift)
		}
	}
	return lines
}

// at is the colour of a point in the column whose outline is lines.
func (s *scene) at(x, y float64, lines *[ranges]float64) colour {
	c := s.top.mix(s.bottom, math.Min(1, y/(Height*0.72)))
	if light, ok := s.stars[image.Pt(int(x), int(y))]; ok {
		c = c.mix(colour{1, 1, 1}, light)
	}
	away := math.Hypot(x-s.discX, y-s.discY)
	c = c.mix(s.disc, 0.35*math.Exp(-away/(2.2*s.radius)))
	c = c.mix(s.disc, cover(s.radius-away))
	for i, line := range lines {
		// A little mist gathers at the foot of each range.
		paint := s.hills[i].paint.mix(s.bottom, 0.22*math.Min(1, math.Max(0, (y-line)/90)))
		c = c.mix(paint, cover(y-line))
	}
	return c
}

// cover is how much of a pixel lies inside an edge that is d pixels away: a one-pixel ramp, so that edges are smooth.
func cover(d float64) float64 { return math.Max(0, math.Min(1, d+0.5)) }

// colour is red, green and blue from 0 to 1.
type colour [3]float64

func (c colour) mix(o colour, share float64) colour {
	for i := range c {
		c[i] += (o[i] - c[i]) * share
	}
	return c
}

func (c colour) rgba() color.RGBA {
	level := func(v float64) uint8 { return uint8(math.Round(255 * math.Max(0, math.Min(1, v)))) }
	return color.RGBA{R: level(c[0]), G: level(c[1]), B: level(c[2]), A: 255}
}

// hsl turns a hue in degrees, a saturation and a lightness into a colour.
func hsl(hue, saturation, lightness float64) colour {
	hue = math.Mod(math.Mod(hue, 360)+360, 360)
	a := saturation * math.Min(lightness, 1-lightness)
	channel := func(n float64) float64 {
		k := math.Mod(n+hue/30, 12)
		return lightness - a*math.Max(-1, math.Min(k-3, math.Min(9-k, 1)))
	}
	return colour{channel(0), channel(8), channel(4)}
}
