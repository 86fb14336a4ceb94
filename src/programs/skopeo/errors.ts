// What skopeo's words mean: which kind of failure, and whether trying again could help.
// The texts are those of skopeo 1.9 to 1.22 and of the containers/image library in it.
import { diskFailure, type ErrorKind } from "../../errors.ts";

export interface SkopeoFailure {
  readonly kind: ErrorKind;
  /** The cause may pass by itself: a server in trouble, a broken connection. */
  readonly isTransient: boolean;
  /** The reason without skopeo's own decoration. */
  readonly reason: string;
  readonly hint?: string;
}

type Rule = readonly [RegExp, ErrorKind, "transient" | "lasting", hint?: string];

/** The first match decides, so what is specific comes before what is general. */
const RULES: readonly Rule[] = [
  [/registry \S+ is blocked in /i, "policy", "lasting", "see containers-registries.conf(5)"],
  // What a parser says about a file of this machine may sound like any failure of a network.
  [
    /loading registries configuration|\bregistries\.conf\b/i,
    "failed",
    "lasting",
    "mend that file; see containers-registries.conf(5)",
  ],
  [
    /\bparsing \S+\.ya?ml: |reading registries\.d/i,
    "failed",
    "lasting",
    "mend that file; see containers-registries.d(5)",
  ],
  [
    /(?:reading|unmarshaling) JSON (?:file|at)\b/i,
    "failed",
    "lasting",
    "mend that file; see containers-auth.json(5)",
  ],
  [/executable file not found/i, "failed", "lasting"],
  [
    /Source image rejected|rejected by policy|signature was required|invalid policy/i,
    "policy",
    "lasting",
  ],
  [/(cryptographic )?signature verification failed|no signature exists/i, "policy", "lasting"],
  [/no space left on device|disk quota exceeded/i, "space", "lasting"],
  [/toomanyrequests|too many requests|\b429\b/i, "network", "transient"],
  [/unauthorized|authentication required|invalid username\/password/i, "authentication", "lasting"],
  [
    /\b401\b|\b403\b|access to the resource is denied|requested access/i,
    "authentication",
    "lasting",
  ],
  [/no basic auth credentials|unable to retrieve auth token/i, "authentication", "lasting"],
  [/digest did not match|does not match expected|digest mismatch/i, "integrity", "lasting"],
  // A record that was damaged on its way, unlike everything else that TLS complains about.
  [/tls: bad record MAC/i, "network", "transient"],
  [/x509:|tls: |server gave HTTP response to HTTPS/i, "network", "lasting"],
  // Its page of an error may say "not found" of something else.
  [/status(?: code)?:? 5\d\d|\b50\d\b|server misbehaving/i, "network", "transient"],
  [
    /manifest unknown|name unknown|not found|\b404\b/i,
    "failed",
    "lasting",
    "check its name and tag; without credentials some registries show less than there is",
  ],
  [/no such host|connection refused|network is unreachable/i, "network", "transient"],
  [/no route to host|host is down|network is down/i, "network", "transient"],
  [/time(?:d )?out|deadline exceeded|connection reset|connection abort/i, "network", "transient"],
  [/broken pipe|\bEOF\b|stream error: stream ID/i, "network", "transient"],
  [/pinging container registry|proxyconnect|http2?:|dial tcp/i, "network", "transient"],
];

/** Understands what skopeo wrote to standard error before it failed. */
export function parseSkopeoFailure(stderr: string): SkopeoFailure {
  const reason = reasonOf(stderr);
  const words = withoutNames(reason);
  const rule = RULES.find(([pattern]) => pattern.test(words));
  const disk = diskFailure(words);
  if (rule === undefined) return { kind: "failed", ...disk, isTransient: false, reason };
  const [, kind, duration, hint = disk?.hint] = rule;
  return { kind, isTransient: duration === "transient", reason, ...(hint && { hint }) };
}

/** The last message of level fatal, else the last line; unescaped. */
function reasonOf(stderr: string): string {
  const lines = stderr.trimEnd().split("\n");
  const fatal = lines.findLast((it) => it.includes("level=fatal"));
  const [, quoted] = /msg="((?:[^"\\]|\\.)*)"/.exec(fatal ?? "") ?? [];
  if (quoted === undefined) return shorten(lines.at(-1) || "it said nothing");
  return shorten(quoted.replace(/\\(["\\])/g, "$1").replace(/\\[nt]/g, " "));
}

const QUOTED = /"((?:[^"\\]|\\.)*)"/g;
const QUOTED_MAX = 200;
const REASON_MAX = 2000;

/** skopeo quotes a document that it cannot read, all of it; a person needs its beginning. */
function shorten(reason: string): string {
  const cut = (text: string, length: number) =>
    text.length > length ? `${text.slice(0, length)}…` : text;
  return cut(
    reason.replace(QUOTED, (_, text: string) => `"${cut(text, QUOTED_MAX)}"`),
    REASON_MAX,
  );
}

/**
 * Names, addresses and what skopeo quotes (documents, pages, names) may contain anything: numbers like a
 * status, words of an error. skopeo never quotes its own words.
 */
function withoutNames(reason: string): string {
  return reason
    .replace(QUOTED, "QUOTED")
    .replace(/\bhttps?:\/\/[^\s"]+/g, "URL")
    .replace(/\b(?:docker|oci|dir|containers-storage)[a-z-]*:(?:\/\/)?\S+/g, "IMAGE")
    .replace(/[0-9a-f]{64}/g, "HEX")
    .replace(/(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?(?:->\S+)?/g, "ADDRESS");
}
