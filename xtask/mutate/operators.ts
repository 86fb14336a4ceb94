// The changes that a test ought to notice, for each kind of node in the syntax tree.

/** A node of the syntax tree in ESTree format; the fields depend on `type`. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** Text that replaces a piece of the source. */
export interface CodeChange {
  readonly kind: ChangeKind;
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

export type ChangeKind =
  | "await"
  | "boolean"
  | "boundary"
  | "condition"
  | "number"
  | "operator"
  | "pattern"
  | "statement"
  | "string";

const BOUNDARIES: Readonly<Record<string, string>> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
};

const OPERATORS: Readonly<Record<string, string>> = {
  "<": ">=",
  "<=": ">",
  ">": "<=",
  ">=": "<",
  "===": "!==",
  "!==": "===",
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "<<": ">>",
  ">>": "<<",
  ">>>": "<<",
  "&": "|",
  "|": "&",
  "^": "&",
  "&&": "||",
  "||": "&&",
  "+=": "-=",
  "-=": "+=",
};

/** Every change to `node` itself; its children have their own. */
export function changesOf(node: Node, text: string): readonly CodeChange[] {
  switch (node.type) {
    case "BinaryExpression":
    case "LogicalExpression":
    case "AssignmentExpression":
      return changeOperator(node, text);
    case "UnaryExpression":
      return node.operator === "!" || node.operator === "-"
        ? [replace(node, "operator", sourceOf(node.argument, text))]
        : [];
    case "AwaitExpression":
      return [replace(node, "await", sourceOf(node.argument, text))];
    case "IfStatement":
    case "ConditionalExpression":
      return [true, false].map((it) => replace(asNode(node.test), "condition", String(it)));
    case "WhileStatement":
      return [replace(asNode(node.test), "condition", "false")];
    case "ExpressionStatement":
      return node.directive ? [] : [replace(node, "statement", ";")];
    case "ThrowStatement":
    case "ContinueStatement":
      return [replace(node, "statement", ";")];
    case "Literal":
      return changeLiteral(node);
    case "TemplateLiteral":
      return [replace(node, "string", "``")];
    default:
      return [];
  }
}

function changeOperator(node: Node, text: string): readonly CodeChange[] {
  const [left, right] = [asNode(node.left), asNode(node.right)];
  const operator = String(node.operator);
  if (operator === "??") {
    return [left, right].map((it) => replace(node, "operator", text.slice(it.start, it.end)));
  }
  // Subtracting one text from another gives NaN, which says nothing about the tests.
  if (operator.startsWith("+") && (isText(left) || isText(right))) return [];
  const start = text.indexOf(operator, left.end);
  const place = { start, end: start + operator.length };
  const boundary = BOUNDARIES[operator];
  const other = OPERATORS[operator];
  return [
    ...(boundary === undefined ? [] : [replace(place, "boundary", boundary)]),
    ...(other === undefined ? [] : [replace(place, "operator", other)]),
  ];
}

function isText(node: Node): boolean {
  return node.type === "TemplateLiteral" || typeof node.value === "string";
}

function changeLiteral(node: Node): readonly CodeChange[] {
  const { value } = node;
  if (typeof value === "boolean") return [replace(node, "boolean", String(!value))];
  if (typeof value === "bigint") return [replace(node, "number", `${value + 1n}n`)];
  if (typeof value === "number") return [replace(node, "number", String(value + 1))];
  if (typeof value === "string") return [replace(node, "string", value === "" ? '"?"' : '""')];
  return isObject(node.regex) ? changePattern(node, node.regex) : [];
}

/** The pattern without `^` at its beginning, and without `$` at its end. */
function changePattern(
  node: Node,
  regex: Readonly<Record<string, unknown>>,
): readonly CodeChange[] {
  const pattern = String(regex.pattern);
  const loose = [pattern.replace(/^\^/, ""), pattern.replace(/(?<!\\)\$$/, "")];
  return loose
    .filter((it) => it !== pattern && it !== "")
    .map((it) => replace(node, "pattern", `/${it}/${String(regex.flags)}`));
}

function replace(
  { start, end }: Pick<Node, "start" | "end">,
  kind: ChangeKind,
  replacement: string,
): CodeChange {
  return { kind, start, end, replacement };
}

function sourceOf(node: unknown, text: string): string {
  const { start, end } = asNode(node);
  // The parentheses keep the precedence.
  return `(${text.slice(start, end)})`;
}

function asNode(value: unknown): Node {
  if (isNode(value)) return value;
  throw new Error("unreachable: the syntax tree lacks a node");
}

export function isNode(value: unknown): value is Node {
  return isObject(value) && typeof value.type === "string" && typeof value.start === "number";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
