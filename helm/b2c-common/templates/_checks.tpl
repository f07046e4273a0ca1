{{/* What no JSON schema can compare, or would refuse without saying what to set. `helm lint` does not see these. */}}
{{- define "b2c.checks" -}}
{{- $faults := list -}}
{{- $handOver := "where pods run already, first hand the field over as helm/README.md says, or the upgrade leaves one of them" -}}
{{- if not (or .Values.image.digest .Values.image.tag) -}}
  {{- $faults = append $faults "no image is named: set image.digest, or in dev image.tag, of an image that the cluster can pull (helm/README.md builds one)" -}}
{{- end -}}
{{- with .Values.autoscaling -}}
{{- if and .enabled (gt (int $.Values.replicas) 1) -}}
  {{- $faults = append $faults (printf "replicas (%v) is not used with autoscaling: set it to 1; %s" $.Values.replicas $handOver) -}}
{{- end -}}
{{- if and .enabled (not .minReplicas) -}}
  {{- $faults = append $faults (printf "autoscaling.minReplicas is missing: set it to the number of running pods; %s" $handOver) -}}
{{- end -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
  {{- $faults = append $faults (printf "autoscaling.minReplicas (%v) is above autoscaling.maxReplicas (%v): raise maxReplicas" .minReplicas .maxReplicas) -}}
{{- end -}}
{{- end -}}
{{- if eq (include "b2c.blocksDrains" .) "true" -}}
  {{- $faults = append $faults (printf "podDisruptionBudget.minAvailable (%v) keeps all of the %v pods, so no node can be drained: set less" .Values.podDisruptionBudget.minAvailable (include "b2c.fewest" .)) -}}
{{- end -}}
{{- range splitList "," (.Values.config.TRUSTED_PROXIES | default "" | toString) -}}
  {{- with include "b2c.networkFault" (trim .) -}}
    {{- $faults = append $faults (printf "config.TRUSTED_PROXIES: %s" .) -}}
  {{- end -}}
{{- end -}}
{{- with $faults -}}
  {{- fail (printf "%s: %s" $.Chart.Name (join (printf "\n%s: " $.Chart.Name) .)) -}}
{{- end -}}
{{- end -}}

{{/* "true" where minAvailable, a number or a share that Kubernetes rounds up, is as much as runs at the least. */}}
{{- define "b2c.blocksDrains" -}}
{{- $fewest := include "b2c.fewest" . | int -}}
{{- $least := (.Values.podDisruptionBudget).minAvailable | default 0 | toString -}}
{{- if hasSuffix "%" $least -}}
  {{- $least = div (add (mul $fewest (trimSuffix "%" $least | int)) 99) 100 -}}
{{- end -}}
{{- and (gt $fewest 1) (ge (int $least) $fewest) -}}
{{- end -}}

{{/* What is wrong with a network of TRUSTED_PROXIES: so wide that it holds more than proxies, or none that the service reads. */}}
{{- define "b2c.networkFault" -}}
{{- $parts := splitList "/" . -}}
{{- $address := first $parts -}}
{{- $v6 := contains ":" . -}}
{{- $size := last $parts | int -}}
{{- if eq (len $parts) 2 -}}
  {{- /* IPv6 from :: on holds all IPv4 addresses, as ::ffff:0:0/96. */ -}}
  {{- if or (lt $size (ternary 64 20 $v6)) (and $v6 (regexMatch "^0*:" $address)) -}}
    {{- . }} is so wide that it holds pods, which could then claim any client's address: set the number of proxies in a row, or networks from /20 (IPv4) or /64 (IPv6, not below ::)
  {{- else if and (not $v6) (include "b2c.hostBits" (dict "address" $address "size" $size) | ne "0") -}}
    {{- . }} names an address within a network, which the service refuses at start: set the network's first address, or leave out /{{ $size }}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* The part of an IPv4 address behind its network's first `size` bits, as a number. */}}
{{- define "b2c.hostBits" -}}
{{- $number := 0 -}}
{{- range splitList "." .address -}}
  {{- $number = add (mul $number 256) (int .) -}}
{{- end -}}
{{- $addresses := 1 -}}
{{- range until (sub 32 .size | int) -}}
  {{- $addresses = mul $addresses 2 -}}
{{- end -}}
{{- mod $number $addresses -}}
{{- end -}}
