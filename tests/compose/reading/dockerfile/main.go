// Reads a Dockerfile with BuildKit's parser and prints its stages and what BuildKit warns of as JSON.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

type stage struct {
	Base     string     `json:"base"`
	Name     string     `json:"name"`
	Commands [][]string `json:"commands"` // name, then the text as it stands
}

type answer struct {
	Stages   []stage  `json:"stages"`
	Warnings []string `json:"warnings"`
}

func main() {
	read, err := read(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(read); err != nil {
		panic(err)
	}
}

func read(file string) (*answer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	found := answer{Stages: []stage{}, Warnings: []string{}}
	for _, warning := range tree.Warnings {
		found.Warnings = append(found.Warnings, warning.Short)
	}
	rules := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) {
		found.Warnings = append(found.Warnings, rule+": "+message)
	}})
	stages, _, err := instructions.Parse(tree.AST, rules)
	if err != nil {
		return nil, err
	}
	for _, each := range stages {
		commands := [][]string{}
		for _, command := range each.Commands {
			commands = append(commands, []string{command.Name(), fmt.Sprint(command)})
		}
		found.Stages = append(found.Stages, stage{each.BaseName, each.Name, commands})
	}
	return &found, nil
}
