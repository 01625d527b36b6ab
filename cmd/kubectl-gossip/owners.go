// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// owner is a controller of a pod, or of a controller.
type owner struct{ kind, group, name string }

// mostOwners of a chain; Kubernetes' own have two.
const mostOwners = 6

// ownersOf follows the controllers of an object, the nearest first. Where one
// cannot be read, the error says so and the chain ends with it.
func ownersOf(ctx context.Context, c client.Client, object metav1.Object) ([]owner, error) {
	var out []owner
	for len(out) < mostOwners {
		ref := metav1.GetControllerOf(object)
		if ref == nil {
			return out, nil
		}
		group, _, found := strings.Cut(ref.APIVersion, "/")
		if !found {
			group = ""
		}
		out = append(out, owner{ref.Kind, group, ref.Name})
		next := &metav1.PartialObjectMetadata{}
		next.APIVersion, next.Kind = ref.APIVersion, ref.Kind
		if err := c.Get(ctx, client.ObjectKey{Namespace: object.GetNamespace(), Name: ref.Name}, next); err != nil {
			return out, fmt.Errorf("read %s %s: %w", ref.Kind, ref.Name, err)
		}
		if next.UID != ref.UID {
			return out, fmt.Errorf("%s %s is another one by now", ref.Kind, ref.Name)
		}
		object = next
	}
	return out, nil
}

// template says what a resize in place leaves untouched, and how to change that. A
// command is for a whole chain of owners only: whoever makes a pod writes what it
// likes into its reference, and what is not read may have an owner of its own.
func template(namespace string, owners []owner, unread error, c *change) (says string, commands []string) {
	if len(owners) == 0 {
		return "the manifest that the pod was made from. Nothing makes it anew; whoever does has to write the new values there", nil
	}
	var chain []string
	for _, o := range owners {
		chain = append(chain, o.kind+" "+o.name)
	}
	last := owners[len(owners)-1]
	says = "the template of " + strings.Join(chain, ", of ") + ": the next pod begins with the old values"
	kind := settable(last)
	switch {
	case unread != nil:
		return fmt.Sprintf("%s. How to change it is not known: %s", says, unread), nil
	case c.init:
		return says + ". Change the sidecar there with kubectl edit", nil
	case kind != "":
		return says + ". To change it for good (this replaces its pods):", []string{setResources(namespace, kind+"/"+last.name, c)}
	case last.kind == "Job" && last.group == "batch":
		return says + ". A Job's template cannot be changed; the next Job has to be made with the new values", nil
	}
	return says + ". Change it as that kind is changed", nil
}

// settable is how kubectl set resources calls a kind whose template it changes;
// empty for one that it does not know.
func settable(o owner) string {
	kind := map[string]string{
		"apps/Deployment": "deployment", "apps/StatefulSet": "statefulset", "apps/DaemonSet": "daemonset", "apps/ReplicaSet": "replicaset",
		"/ReplicationController": "replicationcontroller", "batch/CronJob": "cronjob",
	}
	return kind[o.group+"/"+o.kind]
}

func setResources(namespace, object string, c *change) string {
	out := fmt.Sprintf("kubectl set resources %s -n %s -c %s", object, namespace, c.container)
	if c.limitFrom != c.limitTo {
		out += " --limits=cpu=" + amount(c.limitTo)
	}
	if c.requestFrom != c.requestTo {
		out += " --requests=cpu=" + amount(c.requestTo)
	}
	return out
}
