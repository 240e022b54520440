//! What a statement may do: read. Decided on its plan, where every spelling of a statement looks the same.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;

use super::QueryError;

/// Refuses a plan that holds anything but reading, at any depth: under EXPLAIN and in subqueries too.
pub(super) fn check(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut refused = None;
    let walked = plan.apply_with_subqueries(|node| {
        refused = refusal(node);
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    if let Some(what) = refused {
        return Err(QueryError::Refused { what });
    }
    // The engine's own list, should it know of more one day.
    let own = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let checked = walked.and_then(|_| own.verify_plan(plan));
    checked.map_err(|error| QueryError::Refused { what: super::error::words(&error) })
}

/// What a node would do, unless it only reads. Kinds that are not known to read are refused.
fn refusal(node: &LogicalPlan) -> Option<String> {
    match node {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => None,
        LogicalPlan::Ddl(statement) => Some(spelled(statement.name())),
        LogicalPlan::Dml(statement) => Some(statement.op.name().to_uppercase()),
        LogicalPlan::Statement(statement) => Some(spelled(statement.name())),
        LogicalPlan::Copy(_) => Some("COPY".to_owned()),
        LogicalPlan::Extension(extension) => Some(extension.node.name().to_owned()),
    }
}

/// `CreateExternalTable` as it is written in a statement.
fn spelled(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_uppercase());
    }
    text
}
