// Envsubst fills the variables of a text from the environment, as Flux does with manifests: text for text, before anybody
// has parsed them.
//
//	envsubst [--strict] < manifest.yaml
//
// A variable that is not set becomes nothing; with --strict it is an error.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/pkg/envsubst"
)

func main() {
	if err := fill(os.Stdin, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "envsubst:", err)
		os.Exit(1)
	}
}

func fill(from io.Reader, to io.Writer, arguments []string) error {
	strict := len(arguments) == 1 && arguments[0] == "--strict"
	if len(arguments) > 0 && !strict {
		return fmt.Errorf("unknown arguments %q; there is only --strict", arguments)
	}
	text, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	filled, err := envsubst.EvalEnv(string(text), strict)
	if err != nil {
		return err
	}
	_, err = io.WriteString(to, filled)
	return err
}
