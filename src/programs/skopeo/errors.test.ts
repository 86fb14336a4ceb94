import { expect, test } from "vitest";
import { parseSkopeoFailure } from "./errors.ts";

const fatal = (message: string) =>
  `time="2026-01-01T00:00:00Z" level=info msg="something before"\n` +
  `time="2026-01-01T00:00:01Z" level=fatal msg="${message.replaceAll('"', '\\"')}"\n`;

test.each([
  {
    said: 'Error parsing image name "docker://h:1/x": pinging container registry h:1: Get "https://h:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
    kind: "network",
    isTransient: true,
  },
  {
    said: 'Error parsing image name "docker://nosuch/x": pinging container registry nosuch: dial tcp: lookup nosuch: no such host',
    kind: "network",
    isTransient: true,
  },
  {
    said: "Error reading manifest latest in h/x: manifest unknown: manifest unknown",
    kind: "failed",
    isTransient: false,
    hint: "check its name and tag; without credentials some registries show less than there is",
  },
  {
    said: 'Error parsing image name "docker://h/x": loading registries configuration: loading registries configuration "/etc/containers/registries.conf": toml: line 2 (last key "registry.location"): expected value but found EOF instead',
    kind: "failed",
    isTransient: false,
    hint: "mend that file; see containers-registries.conf(5)",
  },
  {
    said: "initializing source docker://h/x:latest: registry h is blocked in /etc/containers/registries.conf or /etc/containers/registries.conf.d",
    kind: "policy",
    isTransient: false,
    hint: "see containers-registries.conf(5)",
  },
  {
    said: 'get credentials: loading registries configuration "/etc/containers/registries.conf.d/404.conf": registries.conf must be in v2 format but is in v1',
    kind: "failed",
    isTransient: false,
    hint: "mend that file; see containers-registries.conf(5)",
  },
  {
    said: 'Error parsing image name "docker://h/x": parsing /etc/containers/registries.d/x.yaml: error converting YAML to JSON: yaml: line 1: key not found',
    kind: "failed",
    isTransient: false,
    hint: "mend that file; see containers-registries.d(5)",
  },
  {
    said: 'Error parsing image name "docker://h/x": getting username and password: 1 error occurred: * reading JSON file "/etc/ostree/auth.json": unmarshaling JSON at "/etc/ostree/auth.json": unexpected EOF',
    kind: "failed",
    isTransient: false,
    hint: "mend that file; see containers-auth.json(5)",
  },
  {
    said: 'Error parsing image name "docker://h/x": getting username and password: exec: "docker-credential-x": executable file not found in $PATH',
    kind: "failed",
    isTransient: false,
  },
  {
    said: 'Error parsing image name "docker://h/x": reading manifest latest in h/x: unauthorized: authentication required',
    kind: "authentication",
    isTransient: false,
  },
  {
    said: "Source image rejected: Running image docker://h/x:latest is rejected by policy.",
    kind: "policy",
    isTransient: false,
  },
  {
    said: "Source image rejected: A signature was required, but no signature exists",
    kind: "policy",
    isTransient: false,
  },
  {
    said: "writing blob: write /r/oci-put-blob1: no space left on device",
    kind: "space",
    isTransient: false,
    hint: "make room on that file system, and run this again",
  },
  {
    said: "writing blob: write /r/oci-put-blob1: input/output error",
    kind: "failed",
    isTransient: false,
    hint: "the disk has failed or been removed; `dmesg` may say more",
  },
  {
    said: "writing blob: storing blob to file: happened during read: Digest did not match, expected sha256:aa, got sha256:bb",
    kind: "integrity",
    isTransient: false,
  },
  { said: "reading blob: unexpected EOF", kind: "network", isTransient: true },
  {
    said: "writing blob: happened during read: stream error: stream ID 7; INTERNAL_ERROR; received from peer",
    kind: "network",
    isTransient: true,
  },
  {
    said: "reading blob: read tcp 10.0.0.1:4711->10.0.0.2:443: read: connection timed out",
    kind: "network",
    isTransient: true,
  },
  {
    said: "reading blob: read tcp 10.0.0.1:4711->10.0.0.2:443: read: no route to host",
    kind: "network",
    isTransient: true,
  },
  {
    said: "reading blob: read tcp 10.0.0.1:4711->10.0.0.2:443: read: software caused connection abort",
    kind: "network",
    isTransient: true,
  },
  { said: "reading blob: read: host is down", kind: "network", isTransient: true },
  { said: "reading blob: read: network is down", kind: "network", isTransient: true },
  {
    said: "reading blob: local error: tls: bad record MAC",
    kind: "network",
    isTransient: true,
  },
  {
    said: "reading blob: remote error: tls: handshake failure",
    kind: "network",
    isTransient: false,
  },
  {
    said: "parsing image configuration: fetching blob: received unexpected HTTP status: 503 Service Unavailable",
    kind: "network",
    isTransient: true,
  },
  {
    said: 'fetching blob: invalid status code from registry 503 (Service Unavailable): StatusCode: 503, "page not found"',
    kind: "network",
    isTransient: true,
  },
  {
    said: "reading blob: dial tcp: lookup cdn.example: server misbehaving; not found",
    kind: "network",
    isTransient: true,
  },
  {
    said: "reading manifest x: toomanyrequests: You have reached your limit",
    kind: "network",
    isTransient: true,
  },
  {
    said: 'pinging container registry h: Get "https://h/v2/": x509: certificate signed by unknown authority',
    kind: "network",
    isTransient: false,
  },
  { said: "open /x/index.json: no such file or directory", kind: "failed", isTransient: false },
] as const)("$said", ({ said, ...rest }) => {
  expect(parseSkopeoFailure(fatal(said))).toEqual({ ...rest, reason: said });
});

test("a name that looks like a status or a policy's verdict decides nothing", () => {
  const said = 'Error parsing image name "docker://h/503/unauthorized": it is odd';
  expect(parseSkopeoFailure(fatal(said)).kind).toBe("failed");
});

test("without a line of level fatal the last line is the reason", () => {
  expect(parseSkopeoFailure("one\ntwo\n").reason).toBe("two");
  expect(parseSkopeoFailure("").reason).toBe("it said nothing");
});

test("of a document that skopeo quotes the beginning is kept, and nothing in it decides the kind", () => {
  const document = JSON.stringify({ note: "unauthorized, 404", more: "x".repeat(200_000) });
  const message = `parsing OCI1 index: unmarshaling OCI1Index ${JSON.stringify(document)}: json: cannot`;
  const text = `time="2026-01-01T00:00:00Z" level=fatal msg=${JSON.stringify(message)}\n`;
  const { kind, reason } = parseSkopeoFailure(text);
  expect(kind).toBe("failed");
  expect(reason).toMatch(
    /^parsing OCI1 index: unmarshaling OCI1Index "\{.{100,300}…": json: cannot$/,
  );
});

test.each([
  ["a page of a gateway", 'StatusCode: 502, "<html>404 Not Found: unauthorized</html>"', "network"],
  ["a text", 'StatusCode: 418, "no space left on device, error 403"', "failed"],
  ["a list in YAML", 'parsing the answer "- unauthorized\\n- x509: bad": no manifest', "failed"],
])("words that skopeo quotes do not decide the kind: %s", (_, said, kind) => {
  const message = `reading manifest 1 in r.example/x: ${said}`;
  const text = `time="2026-01-01T00:00:00Z" level=fatal msg=${JSON.stringify(message)}\n`;
  expect(parseSkopeoFailure(text).kind).toBe(kind);
});
