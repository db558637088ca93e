{#
What a build has to look at again. int_stays__touched lists the stays whose raw rows changed since the last build that
succeeded; int_stays__built is what that build saw. Without the latter, or in a full refresh, everything is built anew.
#}
{% macro built() %}
    {{ return(adapter.get_relation(database=target.database, schema='intermediate', identifier='int_stays__built')) }}
{% endmacro %}

{% macro anew() %}
    {{ return(not execute or should_full_refresh() or built() is none) }}
{% endmacro %}

{#
A condition: the column names a stay or a month of discharge that this build looks at again. By person it takes two
columns, the stay's and the person's, and all stays of a touched stay's person are looked at. By identifier it only narrows
what has to be read: mdtrt_id is a column of raw, by which whole files are skipped, and stays of other sources may share it.
#}
{% macro touched(column, by='stay') %}
    {%- set list = ref('int_stays__touched') -%}
    {%- if anew() -%}
        true
    {%- elif by == 'stay' -%}
        {{ column }} in (select touched.stay_id from {{ list }} as touched)
    {%- elif by == 'identifier' -%}
        {{ column }} in (select touched.mdtrt_id from {{ list }} as touched)
    {%- elif by == 'month' -%}
        {{ column }} in (
            select touched.discharge_month from {{ list }} as touched
            where touched.discharge_month is not null
        )
    {%- elif by == 'person' -%}
        {%- set stay, person = column.split(', ') -%}
        (
            {{ stay }} in (select touched.stay_id from {{ list }} as touched)
            or coalesce(
                {{ person }} in (
                    select touched.psn_no from {{ list }} as touched
                    where touched.psn_no is not null
                ), false
            )
        )
    {%- else -%}
        {{ exceptions.raise_compiler_error('touched() knows stay, identifier, month and person, not ' ~ by) }}
    {%- endif -%}
{% endmacro %}

{# The condition under which rows of an earlier build leave. A stay that no build has seen has none. #}
{% macro stale(column, by) %}
    {%- if by == 'stay' -%}
        {{ column }} in (
            select touched.stay_id from {{ ref('int_stays__touched') }} as touched
            where not touched.is_current
        )
    {%- else -%}
        {{ touched(column, by=by) }}
    {%- endif -%}
{% endmacro %}

{#
Between the start of a build and its end the touched stays count as unknown, under their old month and person and their
new ones: a build that fails on the way leaves them to be looked at again, whatever it had written.
#}
{% macro mark_touched() %}
    {% if anew() %}
        {% set old = built() %}
        {% if execute and old is not none %}
            {% do adapter.drop_relation(old) %}
        {% endif %}
    {% else %}
        delete from {{ built() }}
        where stay_id in (select touched.stay_id from {{ this }} as touched);
        insert into {{ built() }} by name
        select distinct
            touched.stay_id,
            touched.discharge_month,
            touched.psn_no,
            cast(null as ubigint) as signature
        from {{ this }} as touched
    {% endif %}
{% endmacro %}
