{{/* The walk through the shop as a customer takes it, with nothing but Python's own library: `helm test`. */}}
{{- define "b2c.walk" -}}
import http.client, json, os, sys, time, urllib.request, uuid

def wait_for(url, deadline=time.monotonic() + 30):
    # A network policy may refuse a new pod, or a proxy on the way close its connection, until it has learned the pod's address.
    while True:
        try:
            return urllib.request.urlopen(f"{url}/healthz", timeout=2).close()
        except (OSError, http.client.HTTPException) as failure:
            if time.monotonic() > deadline:
                sys.exit(f"{url} does not answer: {failure}")
            time.sleep(0.5)

def call(method, url, body=None, token=None):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        print(method, url, answer.status)
        return json.load(answer)

users, orders = os.environ["USER_SERVICE_URL"], os.environ.get("ORDER_SERVICE_URL")
for url in filter(None, (users, orders)):
    wait_for(url)
account = {"username": f"smoke-{uuid.uuid4().hex[:12]}", "password": f"Walk-{uuid.uuid4().hex}"}
call("POST", f"{users}/register", account)
token = call("POST", f"{users}/login", account)["token"]
assert call("GET", f"{users}/profile", token=token)["username"] == account["username"]
if orders:
    products = call("GET", f"{orders}/products") or sys.exit("the catalogue is empty: import one first (helm/README.md)")
    placed = call("POST", f"{orders}/orders", {"items": [{"product_id": products[0]["id"], "qty": 1}]}, token)
    assert call("GET", f"{orders}/orders/{placed['order_id']}", token=token)["total"] == placed["total"]
print("the walk-through passed")
{{- end }}

{{- define "b2c.smoke" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Chart.Name }}-smoke
  namespace: {{ .Release.Namespace }}
  labels:
    # Not the service's name: the service's network policy, which knows no way to itself, must not bind it.
    app.kubernetes.io/name: b2c-smoke
    app.kubernetes.io/part-of: b2c-shop
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  restartPolicy: Never
  {{- include "b2c.podDefaults" . | nindent 2 }}
  containers:
    - name: walk
      command: [python, -c]
      args:
        - |
          {{- include "b2c.walk" . | nindent 10 }}
      {{- include "b2c.containerDefaults" . | nindent 6 }}
      env:
        - name: USER_SERVICE_URL
          value: {{ .Values.userServiceUrl | default (printf "http://%s:%v" .Chart.Name .Values.port) }}
        {{- if .Values.userServiceUrl }}
        - name: ORDER_SERVICE_URL
          value: http://{{ .Chart.Name }}:{{ .Values.port }}
        {{- end }}
      resources:
        requests: {cpu: 50m, memory: 64Mi}
        limits: {memory: 128Mi}
{{- end }}
