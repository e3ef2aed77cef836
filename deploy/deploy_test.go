// Package deploy holds the example of a Kubernetes manifest against Kubernetes' own
// types. It is a module of its own, so that the binary knows nothing of them.
package deploy

import (
	"bufio"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Each document is read strictly, as the API server does it: an unknown or a
// repeated key is an error.
func TestManifest(t *testing.T) {
	f, err := os.Open("kubernetes/agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var kinds []string
	for r := utilyaml.NewYAMLReader(bufio.NewReader(f)); ; {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var about metav1.TypeMeta
		if err := yaml.Unmarshal(doc, &about); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, about.APIVersion+" "+about.Kind)
		var pod *corev1.PodTemplateSpec
		var selector *metav1.LabelSelector
		switch about.Kind {
		case "Namespace":
			err = yaml.UnmarshalStrict(doc, new(corev1.Namespace))
		case "Deployment":
			d := new(appsv1.Deployment)
			err = yaml.UnmarshalStrict(doc, d)
			pod, selector = &d.Spec.Template, d.Spec.Selector
		case "DaemonSet":
			d := new(appsv1.DaemonSet)
			err = yaml.UnmarshalStrict(doc, d)
			pod, selector = &d.Spec.Template, d.Spec.Selector
		default:
			t.Errorf("%s: no kind that this test knows", about.Kind)
		}
		if err != nil {
			t.Errorf("%s: %v", about.Kind, err)
		}
		if pod != nil && err == nil {
			checkPod(t, about.Kind, pod, selector)
		}
	}
	if want := []string{"v1 Namespace", "apps/v1 Deployment", "apps/v1 DaemonSet"}; !slices.Equal(kinds, want) {
		t.Errorf("documents %v, want %v", kinds, want)
	}
}

// checkPod finds what the types alone do not: references that lead nowhere, and a
// key that more than the agent could read.
func checkPod(t *testing.T, kind string, pod *corev1.PodTemplateSpec, selector *metav1.LabelSelector) {
	t.Helper()
	s, err := metav1.LabelSelectorAsMap(selector)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range s {
		if pod.Labels[k] != v {
			t.Errorf("%s: the selector's %s=%s is not the pod's", kind, k, v)
		}
	}
	volumes := map[string]bool{}
	for _, v := range pod.Spec.Volumes {
		volumes[v.Name] = true
		if v.Secret != nil && (v.Secret.DefaultMode == nil || *v.Secret.DefaultMode&0o007 != 0) {
			t.Errorf("%s: everybody in the pod may read the secret %s", kind, v.Name)
		}
	}
	for _, c := range pod.Spec.Containers {
		if msgs := validation.IsDNS1123Label(c.Name); len(msgs) > 0 {
			t.Errorf("%s: container %s: %v", kind, c.Name, msgs)
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s: no volume %s", kind, m.Name)
			}
		}
		env := map[string]bool{}
		for _, e := range c.Env {
			env[e.Name] = true
		}
		for _, a := range c.Args {
			if _, name, ok := strings.Cut(a, "$("); ok && !env[strings.TrimSuffix(name, ")")] {
				t.Errorf("%s: %s: no such variable", kind, a)
			}
		}
		for name, q := range c.Resources.Limits {
			if r := c.Resources.Requests[name]; r.Cmp(q) != 0 {
				t.Errorf("%s: %s: request %s and limit %s: the CPUs are not the container's own", kind, name, r.String(), q.String())
			}
		}
	}
}
