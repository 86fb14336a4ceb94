// Logically bound images: other images that an image needs beside it and names in its Quadlet files.
import { BootcError } from "../errors.ts";
import {
  canonicalizeReference,
  formatRegistryName,
  parseRegistryName,
} from "../image/registry-name.ts";

/** Where an image keeps links to the Quadlet files whose images are bound to it. */
export const BOUND_IMAGES_DIR = "usr/lib/bootc/bound-images.d";

/** The image that a Quadlet file names; the extension of `fileName` decides which section counts. */
export function parseBoundImage(fileName: string, text: string): string {
  const section = sectionOf(fileName);
  const values = readSection(text, section);
  if (section === "Image" && values.has("AuthFile")) {
    throw new BootcError("AuthFile is not supported by bound bootc images", {
      hint: "put the credentials into /etc/ostree/auth.json",
    });
  }
  const image = values.get("Image") ?? "";
  if (image === "") throw new BootcError("Missing Image field");
  requireNoUnit(image);
  // Quadlet accepts this prefix, and a registry is the only source podman fetches such images from.
  return expandPercents(image).replace(/^docker:\/\//, "");
}

/** Quadlet reads such a name as that of another Quadlet file, not of an image. */
function requireNoUnit(image: string): void {
  const [, kind] = /\.(image|build)$/.exec(image) ?? [];
  if (kind === undefined) return;
  throw new BootcError(`\`Image=${image}\` names another Quadlet file, not an image`, {
    hint:
      kind === "image"
        ? `bind \`${image}\` instead: link that file into /${BOUND_IMAGES_DIR}`
        : "an image built on the machine cannot be bound; name an image in a registry",
  });
}

function sectionOf(fileName: string): "Image" | "Container" {
  if (fileName.endsWith(".image")) return "Image";
  if (fileName.endsWith(".container")) return "Container";
  throw new BootcError(`Invalid file extension: ${fileName}`, {
    hint: "only Quadlet's `.image` and `.container` files can be bound",
  });
}

/** Format: systemd.syntax(7); when a key is given several times, the last one counts. */
function readSection(text: string, wanted: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let section = "";
  for (const line of joinLines(text)) {
    const name = /^\[(.+)\]$/.exec(line)?.[1];
    if (name !== undefined) section = name;
    const equals = line.indexOf("=");
    if (section !== wanted || name !== undefined || equals < 0) continue;
    values.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim());
  }
  return values;
}

/** Lines without comments; a line that ends in a backslash continues on the next. */
function joinLines(text: string): readonly string[] {
  const lines = text.split("\n").map((it) => it.trim());
  const joined: string[] = [];
  let open = "";
  for (const line of lines) {
    if (line.startsWith("#") || line.startsWith(";")) continue;
    if (line.endsWith("\\")) {
      open += `${line.slice(0, -1).trim()} `;
      continue;
    }
    joined.push(`${open}${line}`.trim());
    open = "";
  }
  return open === "" ? joined : [...joined, open.trim()];
}

/** `%%` is a percent sign; only systemd could expand any other specifier. */
function expandPercents(image: string): string {
  const expanded = image.replaceAll("%%", "\0");
  if (expanded.includes("%")) {
    throw new BootcError(`Systemd specifiers are not supported by bound bootc images: ${image}`);
  }
  return expanded.replaceAll("\0", "%");
}

/** The image's name in container storage: complete, with a tag or a digest, never both. */
export function storageName(image: string): string {
  const { name } = canonicalizeReference({ transport: "registry", name: image });
  const parsed = parseRegistryName(name);
  if (parsed === undefined) return name;
  const isWhole = parsed.tag !== undefined || parsed.digest !== undefined;
  return formatRegistryName(isWhole ? parsed : { ...parsed, tag: "latest" });
}

/** An image in a container storage. */
export interface StorageImage {
  readonly id: string;
  readonly names: readonly string[];
}

/** The stored images none of whose names is in `wanted`. */
export function decideUnbound(
  stored: readonly StorageImage[],
  wanted: readonly string[],
): readonly StorageImage[] {
  const names = new Set(wanted.map(storageName));
  return stored.filter((it) => !it.names.some((name) => names.has(name)));
}
