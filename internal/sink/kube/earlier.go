// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// pageSize bounds one answer of a list.
const pageSize = 500

// CertifiedPods lists the pods of a node that have a certificate, by UID. Only the
// objects' metadata is asked for.
func CertifiedPods(ctx context.Context, client metadata.Interface, node string) ([]string, error) {
	options := metav1.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelNode: node}}),
		Limit:         pageSize,
	}
	var uids []string
	for {
		list, err := client.Resource(v1alpha1.GroupVersion.WithResource(certificates)).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("list certificates: %w", err)
		}
		for _, item := range list.Items {
			if uid := item.Labels[v1alpha1.LabelPodUID]; uid != "" {
				uids = append(uids, uid)
			}
		}
		if options.Continue = list.Continue; options.Continue == "" {
			return uids, nil
		}
	}
}
