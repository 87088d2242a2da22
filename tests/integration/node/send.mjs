// Sends one trace by the stock OpenTelemetry SDK and prints, as one JSON object, what it sent.
//
// Usage: node send.mjs grpc|proto|json ENDPOINT
//
// Exits 1 where the exporter reports anything but success. What is sent is held against what is
// stored by test_node_sdk.py, so a value changed here is changed there.

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const NS_PER_S = 1_000_000_000n;
const LINKED = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };

// Every kind of value that the SDK takes. A JavaScript number without a fraction goes as an int.
const VALUES = {
  'test.string': 'plain',
  'test.unicode': 'naïve 漢字 🚀 "quoted" \\ back',
  'test.lines': 'one\ntwo\tthree',
  'test.empty': '',
  'test.int': 42,
  'test.int.zero': 0,
  'test.int.negative': -1,
  'test.int.large': Number.MAX_SAFE_INTEGER,
  'test.double': 0.1,
  'test.double.negative': -2.5,
  'test.double.small': 1e-7,
  'test.double.long': 123456.78901234567,
  'test.bool.true': true,
  'test.bool.false': false,
  'test.strings': ['a', '', '漢 "q" 🚀'],
  'test.ints': [1, -2, 3],
  'test.doubles': [0.5, -1.25],
  'test.bools': [true, false],
  'test.gaps': ['a', null, 'b'],
  'test.nothing': [],
};

const exporters = {
  grpc: (endpoint) => new GrpcExporter({ url: endpoint }),
  proto: (endpoint) => new ProtoExporter({ url: `${endpoint}/v1/traces` }),
  json: (endpoint) => new JsonExporter({ url: `${endpoint}/v1/traces` }),
};

// Keeps the exporter's verdict, which the processor only logs.
class Witness {
  constructor(exporter) {
    this.exporter = exporter;
    this.results = [];
  }

  export(spans, callback) {
    this.exporter.export(spans, (result) => {
      this.results.push({ code: result.code, error: result.error?.message ?? '' });
      callback(result);
    });
  }

  forceFlush() {
    return this.exporter.forceFlush();
  }

  shutdown() {
    return this.exporter.shutdown();
  }
}

const hrTime = (ns) => [Number(ns / NS_PER_S), Number(ns % NS_PER_S)];

function send(tracer, protocol, startNs) {
  const at = (offset) => hrTime(startNs + offset);
  const root = tracer.startSpan(
    'POST /offer',
    {
      kind: SpanKind.SERVER,
      startTime: at(0n),
      attributes: {
        'decision.action': 'offer',
        'decision.id': `node-${protocol}`,
        'decision.channel': 'web',
        'decision.region': 'eu-west',
        'decision.value_usd': 12.5,
        // Decimal strings: a JavaScript number rounds nanoseconds of today to 256.
        'decision.ts.ingress': String(startNs + 1n),
        'decision.ts.transform': String(startNs + 2_000_003n),
        'decision.ts.decision': String(startNs + 5_000_007n),
        'decision.ts.egress': String(startNs + 9_000_009n),
      },
    },
    ROOT_CONTEXT,
  );
  const child = tracer.startSpan(
    'every value',
    {
      kind: SpanKind.CLIENT,
      startTime: at(1_000_001n),
      attributes: VALUES,
      links: [
        {
          context: { ...LINKED, traceFlags: TraceFlags.SAMPLED },
          attributes: { 'link.reason': 'retry of 漢字', 'link.attempts': [1, 2], 'link.empty': '' },
        },
      ],
    },
    trace.setSpan(ROOT_CONTEXT, root),
  );
  child.addEvent('cache.miss', { 'event.key': 'k🚀', 'event.sizes': [1, 2], 'event.hit': false }, at(2_000_001n));
  child.addEvent('bare', {}, at(3_000_001n));
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'too slow' });
  child.end(at(4_000_002n));
  root.setStatus({ code: SpanStatusCode.OK });
  root.end(at(12_345_678n));
  return {
    trace_id: root.spanContext().traceId,
    root_span_id: root.spanContext().spanId,
    child_span_id: child.spanContext().spanId,
    start_ns: String(startNs),
  };
}

const [protocol, endpoint] = process.argv.slice(2);
if (!(protocol in exporters) || !endpoint) {
  console.error('usage: node send.mjs grpc|proto|json ENDPOINT');
  process.exit(2);
}

const witness = new Witness(exporters[protocol](endpoint));
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({
    'service.name': `node-${protocol}`,
    'service.version': '1.2.3',
    'host.cores': 2,
    'process.command_args': ['node', 'send.mjs'],
  }),
  spanProcessors: [new BatchSpanProcessor(witness)],
});
// Two seconds ago, and not on a whole microsecond: rounding anywhere would show.
const startNs = (BigInt(Date.now()) - 2000n) * 1_000_000n + 123_457n;
const sent = send(provider.getTracer('node-test', '9.8.7'), protocol, startNs);
await provider.shutdown();

console.log(JSON.stringify({ ...sent, results: witness.results }));
process.exit(witness.results.every((result) => result.code === 0) ? 0 : 1);
