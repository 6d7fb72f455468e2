// Judges Kubernetes objects as GitOps tools do.
//
//	health ARGOCD_CM < OBJECTS
//
// ARGOCD_CM is a file with the ConfigMap argocd-cm, from which health scripts are taken as Argo CD takes them.
// OBJECTS are any number of Kubernetes objects as JSON. For each a line of JSON is written:
//
//	{"kstatus": {"status": "InProgress", "message": "…"}, "argocd": {"status": "Progressing", "message": "…"}, "wave": 0}
//
// "kstatus" is the verdict of the library that Flux and others wait with. An object that it can't read is Unknown.
// "argocd" is Argo CD's health by a script of that ConfigMap, null for kinds without one; "wave" is its sync wave. The
// scripts run in the Lua of Argo CD, in a sandbox as Argo CD makes it: see argocd.go.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

type line struct {
	Kstatus verdict  `json:"kstatus"`
	ArgoCD  *verdict `json:"argocd"`
	Wave    int      `json:"wave"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "health:", err)
		os.Exit(1)
	}
}

func run(arguments []string, objects io.Reader, verdicts io.Writer) error {
	if len(arguments) != 1 {
		return errors.New("give one file, with the ConfigMap argocd-cm")
	}
	argo, err := newArgoCD(arguments[0])
	if err != nil {
		return err
	}
	in, out := json.NewDecoder(objects), bufio.NewWriter(verdicts)
	for {
		var raw json.RawMessage
		if err := in.Decode(&raw); errors.Is(err, io.EOF) {
			return out.Flush()
		} else if err != nil {
			return err
		}
		// Whole numbers have to be whole numbers, as in what a client of Kubernetes reads.
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			return err
		}
		judged := line{Kstatus: byKstatus(object), ArgoCD: argo.health(object), Wave: wave(object)}
		if err := json.NewEncoder(out).Encode(judged); err != nil {
			return err
		}
	}
}

func byKstatus(object *unstructured.Unstructured) verdict {
	result, err := kstatus.Compute(object)
	if err != nil {
		return verdict{Status: string(kstatus.UnknownStatus), Message: err.Error()}
	}
	return verdict{Status: string(result.Status), Message: result.Message}
}
