// Prints, as JSON, what the Groovy that Jenkins embeds makes of each file given: its statements, as calls with their
// arguments and bodies. Nothing is executed. grammar.py reads it; a syntax error is an entry of its own.
import groovy.json.JsonOutput
import org.codehaus.groovy.ast.expr.*
import org.codehaus.groovy.ast.stmt.*
import org.codehaus.groovy.control.CompilationUnit
import org.codehaus.groovy.control.MultipleCompilationErrorsException
import org.codehaus.groovy.control.Phases

List statements(ClosureExpression closure) { closure.code.statements.collect { statement(it) } }

Map statement(Statement node) {
    def expression = node instanceof ExpressionStatement ? node.expression :
        node instanceof ReturnStatement ? node.expression : null
    if (expression instanceof MethodCallExpression) {
        return call(expression)
    }
    if (expression instanceof BinaryExpression && expression.operation.text == '=') {
        return [line: node.lineNumber, assign: expression.leftExpression.text, value: value(expression.rightExpression)]
    }
    [line: node.lineNumber, other: (expression ?: node).getClass().simpleName]
}

Map call(MethodCallExpression node) {
    def given = node.arguments instanceof TupleExpression ? node.arguments.expressions : []
    def body = given && given[-1] instanceof ClosureExpression ? given[-1] : null
    def plain = given.findAll { !(it instanceof ClosureExpression || it instanceof MapExpression) }
    def named = given.findAll { it instanceof MapExpression }.collectMany { it.mapEntryExpressions }
    [line: node.lineNumber, call: node.methodAsString, on: node.implicitThis ? null : node.objectExpression.text,
     arguments: plain.collect { value(it) },
     named: named.collectEntries { [(it.keyExpression.text): value(it.valueExpression)] },
     body: body ? statements(body) : null]
}

Map value(Expression node) {
    switch (node) {
        case GStringExpression: return [template: node.text]
        case ConstantExpression: return [constant: node.value]
        case MethodCallExpression: return call(node)
        case ListExpression: return [list: node.expressions.collect { value(it) }]
        case MapExpression: return [list: node.mapEntryExpressions.collect { value(it.valueExpression) }]
        default: return [expression: node.text]
    }
}

Map read(String path) {
    def unit = new CompilationUnit()
    def source = unit.addSource(new File(path))
    try {
        unit.compile(Phases.CONVERSION)
    } catch (MultipleCompilationErrorsException problem) {
        def cause = problem.errorCollector.errors[0].cause
        return [error: [line: cause.line, message: cause.originalMessage]]
    }
    [statements: source.AST.statementBlock.statements.collect { statement(it) }]
}

println JsonOutput.toJson(args.collectEntries { [(it): read(it)] })
