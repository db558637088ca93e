{#
What a build has to look at again. int_stays__touched lists the stays of which the lake has written or deleted raw rows
since the last build that succeeded; int_raw__built is the snapshot that build saw. Without it, or in a full refresh,
everything is built anew.
#}
{% macro built_relation() %}
    {{ return(adapter.get_relation(database=target.database, schema='intermediate', identifier='int_raw__built')) }}
{% endmacro %}

{# The newest snapshot that the last build that succeeded saw, 0 if there is none. #}
{% macro built_snapshot() %}
    {% set built = built_relation() if execute else none %}
    {% if built is none %}
        {{ return(0) }}
    {% endif %}
    {{ return(run_query('select coalesce(max(snapshot_id), 0) from ' ~ built).columns[0][0] | int) }}
{% endmacro %}

{% macro newest_snapshot() %}
    {% set query = "select max(snapshot_id) from ducklake_snapshots('" ~ target.database ~ "')" %}
    {# The target that is only read has no lake. #}
    {{ return(run_query(query).columns[0][0] | int if execute and target.name == 'lake' else 0) }}
{% endmacro %}

{% macro anew() %}
    {{ return(not execute or should_full_refresh() or built_snapshot() == 0) }}
{% endmacro %}

{# Rows of a raw table that were written (insertions) or deleted (deletions) after one snapshot and up to another. #}
{% macro raw_changes(kind, entity, after, until) -%}
    ducklake_table_{{ kind }}('{{ target.database }}', 'raw', '{{ entity }}', {{ after + 1 }}, {{ until }})
{%- endmacro %}

{# What rows of a raw table say about stays: which one, and on a front page also its month of discharge and its person. #}
{% macro stay_named_by(entity) -%}
    source_id,
    mdtrt_id,
    {{ "cast(date_trunc('month', endtime) as date)" if entity == 'front_page' else 'cast(null as date)' }} as discharge_month,
    {{ 'psn_no' if entity == 'front_page' else 'cast(null as varchar)' }} as psn_no
{%- endmacro %}

{#
A condition: the column names a stay or a month of discharge that this build looks at again. By person it takes two
columns, the stay's and the person's, and all stays of a touched stay's person are looked at. Written takes none: see below.
By valued month it is every month where values have been assigned anew.
#}
{% macro touched(column, by='stay') %}
    {%- set list = ref('int_stays__touched') -%}
    {%- if anew() -%}
        true
    {%- elif by == 'stay' -%}
        {{ column }} in (select touched.stay_id from {{ list }} as touched)
    {%- elif by == 'written' -%}
        {{ written() }}
    {%- elif by == 'valued month' -%}
        {{ 'true' if revalued() else touched(column, by='month') }}
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
        {{ exceptions.raise_compiler_error('touched() knows stay, month, valued month, person and written, not ' ~ by) }}
    {%- endif -%}
{% endmacro %}

{#
A condition on a table that is refreshed by stay: this build wrote the row, so it is a touched stay's. The lake knows the
snapshot of each file and reads no other.
#}
{% macro written() %}
    {%- if anew() -%}
        true
    {%- else -%}
        {%- set seen = run_query('select max(snapshot_id) from ' ~ ref('int_stays__touched')).columns[0][0] -%}
        {{ 'false' if seen is none else 'snapshot_id > ' ~ seen }}
    {%- endif -%}
{% endmacro %}

{#
A condition on fee lines: the batch holds a line of a touched stay. Named one by one, batches let the lake leave all other
files unread, which it cannot do for stays.
#}
{% macro of_touched_batches(column) %}
    {%- if anew() -%}
        true
    {%- else -%}
        {%- set query -%}
            select distinct line.batch_id
            from {{ source('raw', 'fee_line') }} as line
            semi join {{ ref('int_stays__touched') }} as touched
                on line.source_id = touched.source_id and line.mdtrt_id = touched.mdtrt_id
            order by line.batch_id
        {%- endset -%}
        {%- set batches = run_query(query).columns[0].values() -%}
        {{ column }} in ('{{ batches | join("', '") }}')
    {%- endif -%}
{% endmacro %}

{#
A full build that fails leaves nothing that counts as built, so that the next one builds everything anew too; a refresh
that fails leaves the snapshot of the build before, and its stays are looked at again.
#}
{% macro forget_built() %}
    {% set built = built_relation() if execute and should_full_refresh() else none %}
    {% if built is not none %}
        {% do adapter.drop_relation(built) %}
    {% endif %}
{% endmacro %}
