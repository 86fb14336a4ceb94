// Reads documents from YAML, in which an ostree remote's signature is a tagged scalar: `!ostreeRemote NAME`.
import { parseDocument, type ScalarTag } from "yaml";
import { BootcError, messageOf } from "../errors.ts";

const OSTREE_REMOTE: ScalarTag = {
  tag: "!ostreeRemote",
  resolve: (remote) => ({ ostreeRemote: remote }),
};

/** Parses YAML, and JSON, which is YAML too. */
export function parseYaml(what: string, text: string): unknown {
  const refuse = (message: string) => {
    const [first = ""] = message.split("\n", 1);
    return new BootcError(`${what} is not valid YAML: ${first.replace(/:$/, "")}`, {
      kind: "usage",
    });
  };
  const document = parseDocument(text, { customTags: [OSTREE_REMOTE], logLevel: "error" });
  const [error] = document.errors;
  if (error !== undefined) throw refuse(error.message);
  try {
    return document.toJS();
  } catch (cause) {
    // Aliases are resolved only here: one may be undefined, or expand to more than any document needs.
    throw refuse(messageOf(cause));
  }
}
