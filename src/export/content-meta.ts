// Which part of an operating system each file belongs to, as the composer of a commit says.
// Format: upstream's `--contentmeta`, version 1.
import { BootcError } from "../errors.ts";
import { parseJson, requireObject, requireString, requireStrings } from "../format/json.ts";
import { CHECKSUM } from "../ostree/objects.ts";

export interface ContentMeta {
  /** RFC 3339; replaces the time of the commit. */
  readonly created: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** In the order of the layers. */
  readonly parts: readonly ContentPart[];
}

/** What becomes a layer. */
export interface ContentPart {
  readonly name: string;
  /** Checksums of content objects. */
  readonly objects: ReadonlySet<string>;
}

export function parseContentMeta(path: string, text: string): ContentMeta {
  const what = `\`${path}\``;
  // Not limited in size, unlike documents from a registry: it names every file.
  const document = requireObject(parseJson(what, text), what, "the document");
  if (document.version !== 1) {
    throw new BootcError(
      `Unsupported metadata version: ${JSON.stringify(document.version)}. Currently supported: 1`,
      { kind: "unsupported" },
    );
  }
  const { created } = document;
  return {
    created: created === undefined ? undefined : requireString(created, what, "created"),
    labels: requireStrings(document.labels, what, "labels"),
    parts: partsOf(what, {
      names: requireStrings(requireObject(document.layers, what, "layers"), what, "layers"),
      mapping: requireStrings(requireObject(document.mapping, what, "mapping"), what, "mapping"),
      isOrdered: document.ordered === true,
    }),
  };
}

interface Parts {
  readonly names: Readonly<Record<string, string>>;
  readonly mapping: Readonly<Record<string, string>>;
  /** The order of the document is that of the layers; otherwise the order of the ids. */
  readonly isOrdered: boolean;
}

function partsOf(what: string, { names, mapping, isOrdered }: Parts): readonly ContentPart[] {
  const objects = new Map(Object.keys(names).map((id) => [id, new Set<string>()]));
  for (const [checksum, id] of Object.entries(mapping)) {
    if (!CHECKSUM.test(checksum)) {
      throw new BootcError(`${what}: \`${checksum}\` is not the checksum of an object`, {
        kind: "usage",
      });
    }
    const of = objects.get(id);
    if (of === undefined) {
      throw new BootcError(`${what}: \`layers\` has no \`${id}\`, which \`mapping\` names`, {
        kind: "usage",
      });
    }
    of.add(checksum);
  }
  const ids = [...objects.keys()];
  if (!isOrdered) ids.sort();
  return ids.map((id) => ({ name: names[id] ?? id, objects: objects.get(id) ?? new Set() }));
}
