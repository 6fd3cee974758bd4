// Plot draws the ratios of a run of the benchmarks, which it reads as JSON, with their
// spread and what they are to be, into an SVG file:
//
//	plot FILE < bench.json
package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// run is what internal/bench writes, as far as it is drawn.
type run struct {
	Date, Commit string
	Results      []struct {
		Name    string
		Metrics map[string]float64
	}
}

func main() {
	if err := picture(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

// ratios are points with their spread in one direction: plotter.XErrorer.
type ratios struct {
	plotter.XYs
	plotter.XErrors
}

func picture(file string) error {
	var r run
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		return err
	}
	var measured ratios
	var goals plotter.XYs
	var names []string
	for _, m := range slices.Backward(r.Results) { // the first is the uppermost
		ratio, ok := m.Metrics["ratio"]
		if !ok {
			continue
		}
		y := float64(len(names))
		names = append(names, m.Name)
		measured.XYs = append(measured.XYs, plotter.XY{X: ratio, Y: y})
		measured.XErrors = append(measured.XErrors, struct{ Low, High float64 }{m.Metrics["least-ratio"] - ratio, m.Metrics["most-ratio"] - ratio})
		for _, unit := range []string{"goal-at-most", "goal-at-least"} {
			if goal, ok := m.Metrics[unit]; ok {
				goals = append(goals, plotter.XY{X: goal, Y: y})
			}
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("none of the benchmarks compares with anything")
	}
	p := plot.New()
	p.Title.Text = fmt.Sprintf("sbx, commit %s, %s: ratios with their spread; goals in red", r.Commit, r.Date)
	p.X.Label.Text = "times as much as what ran in turns with it"
	p.X.Min = 0
	p.NominalY(names...)
	p.Add(plotter.NewGrid())
	points, err := plotter.NewScatter(measured)
	if err != nil {
		return err
	}
	points.Shape = draw.CircleGlyph{}
	spread, err := plotter.NewXErrorBars(measured)
	if err != nil {
		return err
	}
	p.Add(spread, points)
	if len(goals) > 0 {
		marks, err := plotter.NewScatter(goals)
		if err != nil {
			return err
		}
		marks.Shape, marks.Color = draw.PlusGlyph{}, color.RGBA{R: 200, A: 255}
		marks.Radius = 5
		p.Add(marks)
	}
	return p.Save(9*vg.Inch, vg.Length(len(names))*0.35*vg.Inch+1.2*vg.Inch, file)
}
