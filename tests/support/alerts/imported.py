"""Files as other tools write them, of our own making."""

from __future__ import annotations

from typing import Final

PROMETHEUS: Final = """
groups:
  - name: api
    rules:
      - record: job:errors:ratio5m
        expr: |
          sum by (job) (rate(http_requests_total{code=~"5.."}[5m]))
            / sum by (job) (rate(http_requests_total[5m]))
      - alert: HighErrorRate
        expr: job:errors:ratio5m{job="api"} > 0.05
        for: 10m
        keep_firing_for: 5m
        labels: {severity: warning}
        annotations:
          summary: Too many errors of {{ $labels.job }}
          runbook_url: https://example.com/errors
      - alert: SlowRequests
        expr: |
          histogram_quantile(0.95,
            sum by (le) (rate(http_request_duration_seconds_bucket{job="api"}[10m]))) > 0.25
        labels: {severity: critical}
"""

SLOTH: Final = """
version: prometheus/v1
service: shop
slos:
  - name: availability
    objective: 99.9
    description: Requests of the shop are answered
    sli:
      events:
        error_query: sum(rate(http_requests_total{job="shop",code=~"(5..|429)"}[{{.window}}]))
        total_query: sum(rate(http_requests_total{job="shop"}[{{.window}}]))
    alerting:
      name: ShopErrors
"""

PYRRA: Final = """
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: api-latency, namespace: monitoring}
spec:
  target: "99"
  window: 28d
  description: Answers of the API take 100 ms
  indicator:
    latency:
      success:
        metric: http_request_duration_seconds_bucket{job="api",le="0.1"}
      total:
        metric: http_request_duration_seconds_count{job="api"}
"""

OPENSLO: Final = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-availability}
spec:
  service: shop
  indicatorRef: answered
  timeWindow: [{duration: 4w, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: good, target: 0.99}]
  alertPolicies: [burns]
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: answered}
spec:
  ratioMetric:
    counter: true
    good:
      metricSource:
        type: Prometheus
        spec: {query: 'sum(http_requests_total{job="shop",code=~"2..|3.."})'}
    total:
      metricSource:
        type: Prometheus
        spec: {query: 'sum(http_requests_total{job="shop"})'}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: burns}
spec:
  conditions: [{conditionRef: fast}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast}
spec:
  severity: page
  condition: {kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 5m}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-latency}
spec:
  service: shop
  indicator:
    metadata: {name: slow}
    spec:
      thresholdMetric:
        metricSource:
          type: Prometheus
          spec:
            query: |
              histogram_quantile(0.95,
                sum by (le) (rate(http_request_duration_seconds_bucket{job="shop"}[5m])))
  budgetingMethod: Occurrences
  objectives: [{op: lte, value: 0.5, target: 0.95}]
"""
