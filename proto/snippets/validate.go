// Validates Kanal events in Go.
//
//	go run . event.json …            one document a file
//	kanal tail --json | go run .     one event a line
//
// The schema is read from KANAL_SCHEMA, default ../kanal.schema.json.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

var english = message.NewPrinter(language.English)

func compile() (*jsonschema.Schema, error) {
	path := os.Getenv("KANAL_SCHEMA")
	if path == "" {
		path = "../kanal.schema.json"
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat() // 2020-12 only notes formats unless told otherwise
	if err := compiler.AddResource("urn:kanal:schema:1", document); err != nil {
		return nil, err
	}
	return compiler.Compile("urn:kanal:schema:1") // one kind only: "urn:kanal:schema:1#/$defs/message.received"
}

// The places where it is wrong: the leaves of the tree of causes.
func leaves(e *jsonschema.ValidationError, found []string) []string {
	if len(e.Causes) == 0 {
		pointer := ""
		for _, part := range e.InstanceLocation {
			pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(part)
		}
		if pointer == "" {
			pointer = "(whole document)"
		}
		return append(found, fmt.Sprintf("%s: %s", pointer, e.ErrorKind.LocalizedString(english)))
	}
	for _, cause := range e.Causes {
		found = leaves(cause, found)
	}
	return found
}

func check(schema *jsonschema.Schema, name string, text io.Reader) bool {
	var wrong []string
	document, err := jsonschema.UnmarshalJSON(text)
	if err == nil {
		err = schema.Validate(document)
	}
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		wrong = leaves(invalid, nil)
	} else if err != nil {
		wrong = []string{"(whole document): " + err.Error()}
	}
	verdict := "valid"
	if len(wrong) > 0 {
		verdict = "invalid"
	}
	fmt.Printf("%s: %s\n", name, verdict)
	for _, line := range wrong {
		fmt.Println("  " + line)
	}
	return len(wrong) == 0
}

func run() (bool, error) {
	schema, err := compile()
	if err != nil {
		return false, err
	}
	valid := true
	for _, name := range os.Args[1:] {
		file, err := os.Open(name)
		if err != nil {
			return false, err
		}
		valid = check(schema, name, file) && valid
		file.Close()
	}
	if len(os.Args) == 1 {
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 8<<20)
		for number := 1; lines.Scan(); number++ {
			if strings.TrimSpace(lines.Text()) != "" {
				valid = check(schema, fmt.Sprintf("line %d", number), strings.NewReader(lines.Text())) && valid
			}
		}
		if err := lines.Err(); err != nil {
			return false, err
		}
	}
	return valid, nil
}

func main() {
	valid, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !valid {
		os.Exit(1)
	}
}
