// The host document as YAML, where an ostree remote's signature is a tagged scalar: `!ostreeRemote NAME`.
import { Document, isMap, isScalar, parseDocument, type ScalarTag, visit } from "yaml";
import { BootcError } from "../errors.ts";

const TAG = "!ostreeRemote";

const OSTREE_REMOTE: ScalarTag = {
  tag: TAG,
  resolve: (remote) => ({ ostreeRemote: remote }),
};

/** Keys keep their order; no newline at the end. */
export function formatYaml(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Pair(_key, pair) {
      if (!isScalar(pair.key) || pair.key.value !== "signature" || !isMap(pair.value)) return;
      const scalar = document.createNode(pair.value.get("ostreeRemote"));
      scalar.tag = TAG;
      pair.value = scalar;
    },
  });
  return document.toString({ lineWidth: 0 }).trimEnd();
}

/** Parses YAML, and JSON, which is YAML too. */
export function parseYaml(what: string, text: string): unknown {
  const document = parseDocument(text, { customTags: [OSTREE_REMOTE] });
  const [error] = document.errors;
  if (error === undefined) return document.toJS();
  const [first = ""] = error.message.split("\n", 1);
  throw new BootcError(`${what} is no YAML: ${first.replace(/:$/, "")}`, { kind: "usage" });
}
