// What the user asks of `bootc switch` and `bootc edit`, and whether that changes anything.
import { BootcError } from "../errors.ts";
import { formatOstreeReference, fromSpecImage, type OstreeReference } from "../image/reference.ts";
import { parseNamedImage } from "../image/registry-name.ts";
import type { HostDocument, HostSpec } from "./document.ts";

/** The image that the user names; a name that no registry could have is a usage error. */
export function parseSwitchTarget(
  name: string,
  options: { readonly transport: string; readonly enforcesPolicy: boolean },
): OstreeReference {
  return {
    verification: { kind: options.enforcesPolicy ? "policy" : "none" },
    image: parseNamedImage(name, options.transport),
  };
}

export function isSameImage(spec: HostSpec["image"], target: OstreeReference): boolean {
  if (spec === null) return false;
  return formatOstreeReference(fromSpecImage(spec)) === formatOstreeReference(target);
}

/** What an edited document asks for. */
export type EditDecision =
  | { readonly kind: "unchanged" }
  | { readonly kind: "rollback" }
  | { readonly kind: "image"; readonly image: OstreeReference };

export function decideEdit(host: HostDocument, wanted: HostSpec): EditDecision {
  const isOrderChanged = wanted.bootOrder !== host.spec.bootOrder;
  const image = wanted.image === null ? undefined : fromSpecImage(wanted.image);
  const isImageChanged = image ? !isSameImage(host.spec.image, image) : host.spec.image !== null;
  if (!isOrderChanged && !isImageChanged) return { kind: "unchanged" };
  if (isOrderChanged && isImageChanged) {
    throw new BootcError("Invalid state transition: rollback and image change", { kind: "usage" });
  }
  if (isOrderChanged) return { kind: "rollback" };
  if (image === undefined) {
    throw new BootcError("Missing image in specification", { kind: "usage" });
  }
  return { kind: "image", image };
}

/** The spec of an edited document. The error lists all problems at once. */
export function parseHostSpec(document: unknown): HostSpec {
  const host = recordOf(document);
  const spec = recordOf(host.spec);
  const problems = [
    ...(host.kind === "BootcHost" ? [] : ["`kind` must be `BootcHost`"]),
    ...(/^org\.containers\.bootc\/v1(alpha1)?$/.test(String(host.apiVersion))
      ? []
      : ["`apiVersion` must be `org.containers.bootc/v1`"]),
    ...checkBootOrder(spec.bootOrder),
    ...checkImage(spec.image),
  ];
  if (problems.length > 0) {
    throw new BootcError(`the host document is not valid: ${problems.join("; ")}`, {
      kind: "usage",
    });
  }
  return {
    image: (spec.image ?? null) as HostSpec["image"],
    bootOrder: (spec.bootOrder ?? "default") as HostSpec["bootOrder"],
  };
}

function checkBootOrder(order: unknown): readonly string[] {
  if (order === undefined || order === "default" || order === "rollback") return [];
  return ["`spec.bootOrder` must be `default` or `rollback`"];
}

function checkImage(image: unknown): readonly string[] {
  if (image === undefined || image === null) return [];
  const { image: name, transport, signature } = recordOf(image);
  return [
    ...(typeof name === "string" ? [] : ["`spec.image.image` must be text"]),
    ...(typeof transport === "string" ? [] : ["`spec.image.transport` must be text"]),
    ...(isSignature(signature) ? [] : ["`spec.image.signature` is not a known signature policy"]),
  ];
}

function isSignature(signature: unknown): boolean {
  if (signature === undefined || signature === null) return true;
  if (signature === "insecure" || signature === "containerPolicy") return true;
  return typeof recordOf(signature).ostreeRemote === "string";
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
