// Reads documents from YAML, where an ostree remote's signature is a tagged scalar: `!ostreeRemote NAME`.
import { parseDocument, type ScalarTag } from "yaml";
import { BootcError } from "../errors.ts";

const OSTREE_REMOTE: ScalarTag = {
  tag: "!ostreeRemote",
  resolve: (remote) => ({ ostreeRemote: remote }),
};

/** Parses YAML, and JSON, which is YAML too. */
export function parseYaml(what: string, text: string): unknown {
  const document = parseDocument(text, { customTags: [OSTREE_REMOTE] });
  const [error] = document.errors;
  if (error === undefined) return document.toJS();
  const [first = ""] = error.message.split("\n", 1);
  throw new BootcError(`${what} is no YAML: ${first.replace(/:$/, "")}`, { kind: "usage" });
}
