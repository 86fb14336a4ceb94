// The few shapes that our JSON schemas consist of (draft 2020-12).

export interface Schema {
  readonly [key: string]: unknown;
}

export const DRAFT = "https://json-schema.org/draft/2020-12/schema";

/** A reference to a definition in the same document. */
export function ref(name: string): Schema {
  return { $ref: `#/$defs/${name}` };
}

export function nullableRef(name: string, description: string): Schema {
  return { description, anyOf: [ref(name), { type: "null" }] };
}

export function object(
  description: string,
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[],
): Schema {
  return {
    description,
    type: "object",
    properties,
    ...(required.length > 0 && { required }),
  };
}

/** A choice between words, each with its meaning. */
export function choice(description: string, meanings: Readonly<Record<string, string>>): Schema {
  const oneOf = Object.entries(meanings).map(([word, about]) => ({
    description: about,
    type: "string",
    const: word,
  }));
  return { description, oneOf };
}

export function text(description: string): Schema {
  return { description, type: "string" };
}

export function nullableText(description?: string): Schema {
  return { ...(description && { description }), type: ["string", "null"] };
}

export function flag(description: string, defaultValue?: boolean): Schema {
  return {
    description,
    type: "boolean",
    ...(defaultValue !== undefined && { default: defaultValue }),
  };
}

export function whole(description: string, format: "uint32" | "uint64"): Schema {
  return { description, type: "integer", format, minimum: 0 };
}

export function list(description: string, name: string): Schema {
  return { description, type: "array", items: ref(name) };
}
