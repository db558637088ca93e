{# Every front page has a row of groups, and one without a group says why. #}
{% test every_stay_is_grouped_or_told_why(model) %}
select stay.stay_id
from {{ ref('fct_stay') }} as stay
left join {{ model }} as grouped
    on stay.stay_id = grouped.stay_id
where
    grouped.stay_id is null
    or (not grouped.is_grouped and grouped.status <> 'no_plan' and grouped.reason is null)
{% endtest %}
